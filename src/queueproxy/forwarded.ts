// The Forwarded header built from X-Forwarded-* when the client sent none (QP-90 to QP-92). Pure.
// Hot where a gateway in front adds X-Forwarded-For; the common single address is one
// concatenation.

const COMMA = ',';

/** Arguments are the first lines of the headers, '' when absent; '' means leave Forwarded alone. */
export function buildForwarded(
  forwarded: string,
  forwardedFor: string,
  host: string,
  proto: string,
): string {
  if (forwarded !== '' || (forwardedFor === '' && host === '' && proto === '')) return '';
  if (!forwardedFor.includes(COMMA)) {
    return withHostAndProto(forwardedFor, forwardedFor !== '', host, proto);
  }
  const nodes = forwardedFor.split(COMMA);
  if (nodes.at(-1)!.trim() === '') nodes.pop();
  let value = withHostAndProto(nodes[0]!.trim(), true, host, proto);
  for (let index = 1; index < nodes.length; index += 1) {
    value += `, for=${quoteNode(nodes[index]!.trim())}`;
  }
  return value;
}

/** `node` '' with `hasNode` is a malformed first entry: it drops the separator after it. */
function withHostAndProto(node: string, hasNode: boolean, host: string, proto: string): string {
  let value = hasNode ? `for=${quoteNode(node)}` : '';
  let separator = node === '' ? '' : ';';
  if (host !== '') {
    value += `${separator}host=${host}`;
    separator = ';';
  }
  if (proto !== '') value += `${separator}proto=${proto}`;
  return value;
}

function quoteNode(node: string): string {
  return node.includes(':') ? `"[${node}]"` : node;
}
