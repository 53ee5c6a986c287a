// What the wire tests cannot cut finely enough: the next request begun inside the callback that
// ended the answer before it, as happens whenever a waiting request takes over a freed slot.

import { describe, expect, it } from 'vitest';
import { AnswerReader, type AnswerSink } from './answer-reader.ts';

class Sink implements AnswerSink {
  readonly seen: string[] = [];
  onLast: () => void = () => undefined;

  onAnswerInterim(): void {
    this.seen.push('interim');
  }

  onAnswerHead(): void {
    this.seen.push('head');
  }

  onAnswerData(buffer: Buffer, start: number, end: number, isLast: boolean, surplus: number): void {
    this.seen.push(`${buffer.toString('latin1', start, end)}${isLast ? `|${surplus}` : ''}`);
    if (isLast) this.onLast();
  }

  onAnswerMalformed(shown: string): void {
    this.seen.push(`malformed ${shown}`);
  }
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

function read(text: string, cut: number): { sink: Sink; reader: AnswerReader } {
  const sink = new Sink();
  const reader = new AnswerReader(sink);
  sink.onLast = () => reader.begin('GET');
  reader.begin('GET');
  for (const part of [text.slice(0, cut), text.slice(cut)]) {
    if (part !== '') reader.read(Buffer.from(part, 'latin1'), part.length);
  }
  return { sink, reader };
}

describe('answer reader', () => {
  it('a request begun at the end of an answer never sees bytes of that answer', () => {
    for (const interim of ['', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
      const text = interim + ANSWER;
      for (let cut = 0; cut < text.length; cut += 1) {
        const { sink, reader } = read(text, cut);
        expect(
          sink.seen.filter((event) => event.startsWith('malformed')),
          `cut ${cut}`,
        ).toEqual([]);
        expect(sink.seen.filter((event) => event === 'head')).toHaveLength(1);
        expect(reader.isUntouched, `cut ${cut}`).toBe(true);
        sink.seen.length = 0;
        reader.read(Buffer.from(ANSWER, 'latin1'), ANSWER.length);
        expect(sink.seen).toEqual(['head', 'hello|0']);
      }
    }
  });
});
