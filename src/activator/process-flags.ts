// The command line of an activator (ACT-7): where the API is, how fast to ask it, and the flags of
// klog. What has no meaning here is accepted and ignored, as manifests written for the reference
// carry it; what would be ignored to somebody's surprise is refused. Pure.

/** Klog's; our level is that of config-logging. */
const KLOG_SWITCHES = new Set([
  'add_dir_header',
  'alsologtostderr',
  'logtostderr',
  'one_output',
  'skip_headers',
  'skip_log_headers',
]);
const KLOG_VALUES = new Set([
  'log_backtrace_at',
  'log_dir',
  'log_file',
  'log_file_max_size',
  'stderrthreshold',
  'v',
  'vmodule',
]);
/** An activator lists and watches; it sends no requests that would need pacing (ACT-11). */
const PACING = new Set(['kube-api-qps', 'kube-api-burst']);

export interface ActivatorFlags {
  /** Path of a kubeconfig; '' = KUBECONFIG, else the pod's service account. */
  readonly kubeconfig: string;
  /** Replaces the address in that; '' = does not. */
  readonly server: string;
  readonly problems: readonly string[];
}

/** Go's syntax: one dash or two, `-name=value` or `-name value`; `--` ends them. */
export function readActivatorFlags(args: readonly string[]): ActivatorFlags {
  const flags = { kubeconfig: '', server: '' };
  const problems: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const text = args[index] ?? '';
    if (text === '--') break;
    const parts = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(text);
    const name = parts?.[1] ?? '';
    if (KLOG_SWITCHES.has(name)) continue;
    const isKnown = name === 'kubeconfig' || name === 'server' || name === 'cluster';
    if (!isKnown && !PACING.has(name) && !KLOG_VALUES.has(name)) {
      problems.push(`unknown flag "${text}"`);
      continue;
    }
    let value = parts?.[2];
    if (value === undefined) {
      index += 1;
      value = args[index];
    }
    if (value === undefined) problems.push(`flag needs an argument: "${text}"`);
    else if (name === 'kubeconfig' || name === 'server') flags[name] = value;
    else if (name === 'cluster' && value !== '') {
      problems.push(`--cluster "${value}": choose the cluster by the kubeconfig's current context`);
    } else if (PACING.has(name) && !(Number(value) >= 0)) {
      problems.push(`--${name} "${value}" is not a number of 0 or more`);
    }
  }
  return { ...flags, problems };
}
