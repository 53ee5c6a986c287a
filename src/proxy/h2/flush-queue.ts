// When frames leave: everything a connection wrote during one turn of the event loop goes out in
// one write at the end of it, so an answer's head, body and end are one system call, and so are
// the answers of many streams. One queue for all connections of a thread. Hot: one entry per
// connection and turn.

export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];
/** The list before, used again. */
let spare: Flushable[] = [];

/** Calls `flush` at the end of this turn, once per call of this. */
export function flushSoon(one: Flushable): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(one);
}

function flushAll(): void {
  const due = waiting;
  waiting = spare;
  for (const one of due) one.flush();
  due.length = 0;
  spare = due;
}
