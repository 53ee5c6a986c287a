// Which role this process plays: the first argument, `--role`, PILOTLIGHT_ROLE, or, when Knative
// put its sidecar variables into the environment, the queue-proxy, so that the image can be named
// as Knative's queue-sidecar-image without any argument. Pure.

/** Roles that are processes of their own. Everything else is a command for people. */
export const PROCESS_ROLES = [
  'queueproxy',
  'activator',
  'autoscaler',
  'controller',
  'webhook',
  'standalone-control',
  'standalone-data-plane',
] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];

/** Parts of `up` that do not run alone in this version. */
export const EMBEDDED_ROLES = ['gateway'];

export type Choice =
  | { kind: 'role'; role: ProcessRole; args: readonly string[] }
  | { kind: 'embedded'; role: string }
  | { kind: 'unknown'; role: string }
  | { kind: 'command'; args: readonly string[] };

/** `args` without node and script. */
export function chooseRole(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Choice {
  const flag = args.findIndex((arg) => arg === '--role' || arg.startsWith('--role='));
  if (flag >= 0) {
    const inline = args[flag]?.split('=')[1];
    const role = inline ?? args[flag + 1] ?? '';
    const rest = args.toSpliced(flag, inline === undefined ? 2 : 1);
    return byName(role, rest) ?? { kind: 'unknown', role };
  }
  const [first = '', ...rest] = args;
  const named = byName(first, rest);
  if (named !== null) return named;
  if (args.length > 0) return { kind: 'command', args };
  const variable = env.PILOTLIGHT_ROLE ?? '';
  if (variable !== '') return byName(variable, []) ?? { kind: 'unknown', role: variable };
  const isSidecar = env.QUEUE_SERVING_PORT !== undefined && env.SERVING_POD !== undefined;
  return isSidecar ? { kind: 'role', role: 'queueproxy', args: [] } : { kind: 'command', args: [] };
}

function byName(name: string, args: readonly string[]): Choice | null {
  if (name === 'standalone') return { kind: 'command', args: ['up', ...args] };
  const role = PROCESS_ROLES.find((candidate) => candidate === name);
  if (role !== undefined) return { kind: 'role', role, args };
  return EMBEDDED_ROLES.includes(name) ? { kind: 'embedded', role: name } : null;
}
