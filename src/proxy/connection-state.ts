// The states of a client connection of the `net` engine; their order matters: from LINGER on
// nothing the client sends is of interest. ServerConnection draws the transitions.

export const State = {
  HEAD: 0,
  BODY: 1,
  WAIT: 2,
  DISCARD: 3,
  TUNNEL: 4,
  LINGER: 5,
  CLOSED: 6,
} as const;
export type State = (typeof State)[keyof typeof State];

/** For process.nextTick, without a closure. */
export function pumpLater(connection: { pump(): void }): void {
  connection.pump();
}
