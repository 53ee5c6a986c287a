// The text of a client's address from the bytes µWebSockets.js has of it, spelled as Node spells
// it: IPv4 clients of an IPv6 listener are shown as IPv4, runs of zeros in IPv6 are shortened.
// Hot: once per request.

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const IPV4_IN_IPV6 = 12;

/** '' when the bytes are no address. */
export function addressText(address: ArrayBuffer): string {
  const bytes = new Uint8Array(address);
  if (bytes.length === IPV4_BYTES) return ipv4(bytes, 0);
  if (bytes.length !== IPV6_BYTES) return '';
  return isMapped(bytes) ? ipv4(bytes, IPV4_IN_IPV6) : ipv6(bytes);
}

function ipv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function isMapped(bytes: Uint8Array): boolean {
  for (let index = 0; index < IPV4_IN_IPV6 - 2; index += 1) {
    if (bytes[index] !== 0) return false;
  }
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/** RFC 5952: lower-case groups, the longest run of two or more zeros as `::`. */
function ipv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let at = 0; at < IPV6_BYTES; at += 2) groups.push((bytes[at]! << 8) | bytes[at + 1]!);
  let runStart = 0;
  let runLength = 0;
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > runLength) [runStart, runLength] = [start, length];
  }
  const texts = groups.map((group) => group.toString(16));
  if (runLength < 2) return texts.join(':');
  return `${texts.slice(0, runStart).join(':')}::${texts.slice(runStart + runLength).join(':')}`;
}
