// Lines leave whole and in order whatever the descriptor does, and a stuck reader costs lines, not
// memory (QP-127).

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { LineOutput, type WriteBytes } from './line-output.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A descriptor whose writes the test completes. */
function setUp() {
  const clock = new FakeClock();
  const writes: { text: string; done: Parameters<WriteBytes>[2] }[] = [];
  const output = new LineOutput(clock, (bytes, offset, done) => {
    writes.push({ text: bytes.toString('latin1', offset), done });
  });
  return { clock, writes, output };
}

describe('line output', () => {
  it('QP-127: lines of one turn leave in one write', async () => {
    const { writes, output } = setUp();
    output.write('a\n');
    output.write('b\n');
    expect(writes).toEqual([]);
    await turn();
    expect(writes.map(({ text }) => text)).toEqual(['a\nb\n']);
  });

  it('lines that come during a write follow it in one piece', async () => {
    const { writes, output } = setUp();
    output.write('a\n');
    await turn();
    output.write('b\n');
    output.write('c\n');
    await turn();
    expect(writes).toHaveLength(1);
    writes[0]!.done(null, 2);
    expect(writes[1]!.text).toBe('b\nc\n');
  });

  it('QP-127: what a short write left over is written next, before anything else', async () => {
    const { writes, output } = setUp();
    output.write('abc\n');
    await turn();
    output.write('d\n');
    writes[0]!.done(null, 1);
    expect(writes[1]!.text).toBe('bc\n');
    writes[1]!.done(null, 3);
    expect(writes[2]!.text).toBe('d\n');
  });

  it('a descriptor that takes nothing now is asked again', async () => {
    const { clock, writes, output } = setUp();
    output.write('a\n');
    await turn();
    writes[0]!.done(Object.assign(new Error('again'), { code: 'EAGAIN' }), 0);
    clock.advance(10);
    expect(writes[1]!.text).toBe('a\n');
  });

  it('beyond the limit lines are dropped and counted, whole', async () => {
    const { writes, output } = setUp();
    const line = `${'x'.repeat(1024 * 1024 - 1)}\n`;
    for (let count = 0; count < 6; count += 1) output.write(line);
    expect(output.droppedCount).toBe(2);
    await turn();
    expect(writes[0]!.text.length).toBe(4 * 1024 * 1024);
  });

  it('a reader that has gone costs its lines and nothing else', async () => {
    const { writes, output } = setUp();
    output.write('a\n');
    output.write('b\n');
    await turn();
    writes[0]!.done(Object.assign(new Error('gone'), { code: 'EPIPE' }), 0);
    expect(output.droppedCount).toBe(2);
    await output.flush();
  });

  it('QP-123: flush waits until everything has left', async () => {
    const { writes, output } = setUp();
    let isFlushed = false;
    output.write('a\n');
    const flushed = output.flush().then(() => {
      isFlushed = true;
    });
    await turn();
    output.write('b\n');
    writes[0]!.done(null, 2);
    await turn();
    expect(isFlushed).toBe(false);
    writes[1]!.done(null, 2);
    await flushed;
  });
});
