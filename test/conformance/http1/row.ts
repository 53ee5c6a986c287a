// One line of the conformance table: what RFC 9110 or 9112 asks for, and the check that it is so.

import type { Http1Context } from './context.ts';

export interface Http1Row {
  /** Stable; docs/engines.md refers to it. */
  id: string;
  /** `9112 6.3` = RFC 9112, section 6.3. */
  section: string;
  level: 'must' | 'should';
  says: string;
  /** Throws when the engine does not keep to it. */
  run(context: Http1Context): Promise<void>;
}

/** `lines` as a message head. */
export function head(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A request that is refused before anything of it is forwarded. */
export function refusal(
  id: string,
  section: string,
  level: Http1Row['level'],
  says: string,
  request: string,
  status = 400,
): Http1Row {
  return { id, section, level, says, run: (context) => context.refuses(request, status) };
}

/** An answer of the application that becomes a 502. */
export function answerRefusal(
  id: string,
  section: string,
  level: Http1Row['level'],
  says: string,
  answer: string,
): Http1Row {
  return { id, section, level, says, run: (context) => context.refusesAnswer(answer) };
}
