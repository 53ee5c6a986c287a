// Settings as a table: name, variable, default, check. Read once from flags and environment through
// an injectable source; every problem is found in one pass and reported with the name and the text
// that was given. A flag wins over its variable, a variable over the default. Pure.

export interface Setting<T> {
  /** Kebab-case, as on the command line, without dashes. */
  flag: string;
  /** Environment variable with the same meaning; null = flag only. */
  env: string | null;
  fallback: T;
  /** Throws an Error whose message completes "… must be". */
  parse(text: string): T;
  /** May be given several times; `parse` gets one at a time and the value is a list. */
  repeatable?: boolean;
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

export type SettingsOf<Table extends SettingsTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Setting<infer T> ? T : never;
};

export interface SettingsSources {
  /** By flag name; absent when not given. */
  flags: Readonly<Record<string, string | readonly string[] | undefined>>;
  env: Readonly<Record<string, string | undefined>>;
}

export class SettingsProblems extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SettingsProblems';
    this.problems = problems;
  }
}

/** Throws SettingsProblems naming every bad setting. The result is frozen. */
export function readSettings<Table extends SettingsTable>(
  table: Table,
  sources: SettingsSources,
): SettingsOf<Table> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(table)) {
    const given = lookUp(setting, sources);
    if (given === null) {
      values[name] = setting.fallback;
      continue;
    }
    const parsed: unknown[] = [];
    for (const text of given.texts) {
      try {
        parsed.push(setting.parse(text));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        problems.push(`${given.source} must be ${why}, not "${text}"`);
      }
    }
    values[name] = setting.repeatable === true ? parsed.flat() : parsed[0];
  }
  if (problems.length > 0) throw new SettingsProblems(problems);
  return Object.freeze(values) as SettingsOf<Table>;
}

function lookUp(
  setting: Setting<unknown>,
  sources: SettingsSources,
): { source: string; texts: readonly string[] } | null {
  const flag = sources.flags[setting.flag];
  if (flag !== undefined) {
    return { source: `--${setting.flag}`, texts: typeof flag === 'string' ? [flag] : flag };
  }
  const variable = setting.env === null ? undefined : sources.env[setting.env];
  if (setting.env === null || variable === undefined || variable === '') return null;
  return { source: setting.env, texts: [variable] };
}

/** A whole number within bounds. */
export function integer(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value;
    throw new Error(`a whole number from ${lowest} to ${highest}`);
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new Error(choices.length === 1 ? `${choices[0]}` : `one of ${choices.join(', ')}`);
  };
}

/** `true`, `1`, `yes`, or a flag without a value; `false`, `0`, `no`. */
export function flag(text: string): boolean {
  if (['true', '1', 'yes', ''].includes(text)) return true;
  if (['false', '0', 'no'].includes(text)) return false;
  throw new Error('true or false');
}

/** Text of a shape that `describe` puts into words. */
export function matching(pattern: RegExp, describe: string): (text: string) => string {
  return (text) => {
    if (pattern.test(text)) return text;
    throw new Error(describe);
  };
}
