// Lines of a request thread on their way to the main thread, which has the one writer: so no line
// is torn (QP-127). Lines of one turn of the loop go in one message. Hot: `write` runs once per logged
// request.

import type { LineSink } from './line-output.ts';

/** Characters of lines kept for the end of the turn; beyond, they are sent at once. */
const MAX_GATHERED_CHARACTERS = 64 * 1024;

export class LineForwarder implements LineSink {
  readonly #post: (text: string) => void;
  #text = '';
  #isScheduled = false;

  /** `post` gets whole lines, one char per byte. */
  constructor(post: (text: string) => void) {
    this.#post = post;
  }

  write(line: string): void {
    this.#text += line;
    if (this.#text.length > MAX_GATHERED_CHARACTERS) this.flush();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(flushLater, this);
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#text === '') return;
    this.#post(this.#text);
    this.#text = '';
  }
}

function flushLater(forwarder: LineForwarder): void {
  forwarder.flush();
}
