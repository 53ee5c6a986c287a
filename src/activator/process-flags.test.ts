// The activator's command line: Go's syntax, what is used, ignored and refused.

import { describe, expect, it } from 'vitest';
import { readActivatorFlags } from './process-flags.ts';

describe('flags of the activator', () => {
  it.each([
    ['nothing', [], '', ''],
    ['two dashes and =', ['--kubeconfig=/k', '--server=https://h:1'], '/k', 'https://h:1'],
    [
      'one dash and a value behind it',
      ['-kubeconfig', '/k', '-server', 'https://h'],
      '/k',
      'https://h',
    ],
    ['klog, which changes nothing', ['-v', '4', '--logtostderr', '--vmodule=a=1'], '', ''],
    ['pacing, which changes nothing', ['--kube-api-qps=5.5', '--kube-api-burst', '10'], '', ''],
    ['what follows the end', ['--', '--nonsense'], '', ''],
    ['an empty cluster', ['--cluster='], '', ''],
  ])('ACT-7: %s', (_name, args, kubeconfig, server) => {
    expect(readActivatorFlags(args)).toEqual({ kubeconfig, server, problems: [] });
  });

  it('ACT-7: names what it does not know or cannot use', () => {
    const args = ['--nonsense', 'word', '--cluster=other', '--kube-api-qps=fast', '--server'];
    expect(readActivatorFlags(args).problems).toEqual([
      'unknown flag "--nonsense"',
      'unknown flag "word"',
      '--cluster "other": choose the cluster by the kubeconfig\'s current context',
      '--kube-api-qps "fast" is not a number of 0 or more',
      'flag needs an argument: "--server"',
    ]);
  });
});
