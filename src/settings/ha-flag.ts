// The command line of Knative's control plane processes (CP-4), of which one flag means something
// here: whether the process shares its work with others through Leases. Pure.

/** Without effect: requests are paced by the API itself. */
const IGNORED_FLAGS = ['reconciliation-timeout', 'kube-api-qps', 'kube-api-burst'];

/** True with `--disable-ha`: this process does everything. Throws an Error for an unknown flag. */
export function readHaFlag(args: readonly string[]): boolean {
  let isAlone = false;
  for (let index = 0; index < args.length; index += 1) {
    const [name = '', value] = (args[index] ?? '').replace(/^--?/, '').split('=');
    if (name === 'disable-ha') isAlone = value !== 'false';
    else if (!IGNORED_FLAGS.includes(name)) throw new Error(`unknown flag "${args[index]}"`);
    else if (value === undefined) index += 1;
  }
  return isAlone;
}
