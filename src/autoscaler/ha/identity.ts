// Who this autoscaler is to the others (AS-167): every holder of a Lease is named by its pod and
// its address, so both must be known before it may hold one. Pure.

type Env = Readonly<Record<string, string | undefined>>;

export interface PodIdentity {
  readonly podName: string;
  readonly podIp: string;
}

/** Throws with the reference's words. */
export function readIdentity(env: Env): PodIdentity {
  return { podName: required(env, 'POD_NAME'), podIp: required(env, 'POD_IP') };
}

function required(env: Env, name: string): string {
  const value = env[name];
  if (value === undefined) throw new Error(`${name} environment variable not set`);
  if (value === '') throw new Error(`${name} environment variable is empty`);
  return value;
}
