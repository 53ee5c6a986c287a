// Elapsed time the way kubectl prints it (KN-142): two units while they help, one after that.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
/** A timestamp this much in the future is clock skew and prints as 0s. */
const FUTURE_TOLERANCE_SECONDS = 2;

const two = (first: string, rest: number, unit: string): string =>
  rest === 0 ? first : `${first}${rest}${unit}`;

/** `seconds` >= 0, any fraction is dropped. */
export function humanDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / MINUTE);
  const hours = Math.floor(whole / HOUR);
  const days = Math.floor(whole / DAY);
  const years = Math.floor(whole / YEAR);
  if (whole < 2 * MINUTE) return `${whole}s`;
  if (minutes < 10) return two(`${minutes}m`, whole % MINUTE, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return two(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return two(`${days}d`, hours % 24, 'h');
  if (days < 2 * 365) return `${days}d`;
  if (years < 8) return two(`${years}y`, days % 365, 'd');
  return `${years}y`;
}

/** Time since an RFC 3339 timestamp; `<unknown>` when unset, `<invalid>` when in the future. */
export function humanAge(timestamp: unknown, nowMs: number): string {
  const atMs = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
  if (Number.isNaN(atMs)) return '<unknown>';
  const seconds = (nowMs - atMs) / 1000;
  if (seconds < -FUTURE_TOLERANCE_SECONDS) return '<invalid>';
  return humanDuration(Math.max(0, seconds));
}
