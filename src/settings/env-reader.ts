// Reads typed values out of an environment record and collects everything that is wrong with it, so
// one run shows all mistakes. Texts of the problems are those of Knative's sidecar (QP-9, QP-10):
// "required" asks only that a variable exists; a number that exists must parse, even when optional.

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment cannot be used; `message` is the first problem, as the reference prints it. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems[0] ?? 'invalid settings');
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

const TRUE_TEXTS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_TEXTS = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const MAX_INT = 2147483647;
const MAX_PORT = 65535;

export class EnvReader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** A variable that must exist, possibly empty. */
  requiredText(name: string): string {
    const text = this.#env[name];
    if (text === undefined) this.problems.push(`required key ${name} missing value`);
    return text ?? '';
  }

  text(name: string, fallback = ''): string {
    return this.#env[name] ?? fallback;
  }

  /** Every variable that begins with one of them and is not empty. */
  withPrefixes(prefixes: readonly string[]): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [name, value = ''] of Object.entries(this.#env)) {
      if (value !== '' && prefixes.some((prefix) => name.startsWith(prefix))) found[name] = value;
    }
    return found;
  }

  requiredInteger(name: string): number {
    const text = this.#env[name];
    if (text !== undefined) return this.#parseInteger(name, text);
    this.problems.push(`required key ${name} missing value`);
    return 0;
  }

  integer(name: string, fallback: number): number {
    const text = this.#env[name];
    return text === undefined ? fallback : this.#parseInteger(name, text);
  }

  flag(name: string, fallback: boolean): boolean {
    const text = this.#env[name];
    if (text === undefined) return fallback;
    if (TRUE_TEXTS.has(text)) return true;
    if (!FALSE_TEXTS.has(text)) {
      this.problems.push(`${name}: converting '${text}' to type bool: invalid syntax`);
    }
    return false;
  }

  /** A number with a fraction, at least `least`; absent or empty means `fallback`. */
  number(name: string, fallback: number, least: number): number {
    const text = this.#env[name] ?? '';
    if (text === '') return fallback;
    const value = Number(text);
    if (Number.isFinite(value) && value >= least) return value;
    this.problems.push(`${name}: '${text}' is not a number of ${least} or more`);
    return fallback;
  }

  /** 0 to 65535; absent or empty means `fallback`. */
  port(name: string, fallback: number): number {
    const text = this.#env[name] ?? '';
    return text === '' ? fallback : this.#parsePort(name, text);
  }

  requiredPort(name: string): number {
    const text = this.requiredText(name);
    return this.#env[name] === undefined ? 0 : this.#parsePort(name, text);
  }

  #parsePort(name: string, text: string): number {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
    if (value >= 0 && value <= MAX_PORT) return value;
    this.problems.push(`${name}: '${text}' is not a port number`);
    return 0;
  }

  #parseInteger(name: string, text: string): number {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Math.abs(value) <= MAX_INT) return value;
    const reason = Number.isNaN(value) ? 'invalid syntax' : 'value out of range';
    this.problems.push(`${name}: converting '${text}' to type int: ${reason}`);
    return 0;
  }
}
