// Direct latin1 access to Buffers: Node's `toString('latin1')` and `write(…, 'latin1')` without the
// encoding look-up. The methods are public and documented by Node only as aliases, so the types
// miss them; this is the one place that knows.
// Hot: every head and every small body.

interface Latin1Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
}

export function readLatin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as unknown as Latin1Buffer).latin1Slice(start, end);
}

export function writeLatin1(buffer: Buffer, text: string, offset: number): void {
  if (text !== '') (buffer as unknown as Latin1Buffer).latin1Write(text, offset);
}
