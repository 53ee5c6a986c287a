// Closes a test run with one line any tool can read: `N passed, N failed`, and `, N skipped` if any.

export default class SummaryReporter {
  onTestRunEnd(testModules) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of testModules) {
      let testsSeen = 0;
      for (const test of module.children.allTests()) {
        testsSeen += 1;
        const state = test.result().state;
        if (state in counts) counts[state] += 1;
      }
      if (testsSeen === 0 && module.state() === 'failed') counts.failed += 1;
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`);
  }
}
