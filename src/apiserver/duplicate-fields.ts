// Finds members named twice in one JSON object, which JSON.parse silently drops (KN-176: strict
// decoding names them). Runs only when the client asks for strict or warning field validation, on
// text that JSON.parse has already accepted, so it may trust its form.

/** Paths of duplicated members, e.g. `spec.replicas` or `spec.containers[0].image`. */
export function findDuplicateFields(json: string): string[] {
  const duplicates: string[] = [];
  /**
   * Per open container: member names seen (null for arrays), its path, position of the next item.
   */
  const stack: { seen: Set<string> | null; path: string; index: number }[] = [];
  let path = '';
  let at = 0;
  const childPath = (): string => {
    const top = stack[stack.length - 1];
    return top?.seen === null ? `${top.path}[${top.index}]` : path;
  };
  while (at < json.length) {
    const char = json[at]!;
    const top = stack[stack.length - 1];
    if (char === '{' || char === '[') {
      const own = childPath();
      stack.push({ seen: char === '{' ? new Set() : null, path: own, index: 0 });
      path = own;
    } else if (char === '}' || char === ']') {
      stack.pop();
    } else if (char === ',' && top !== undefined) {
      top.index += 1;
    } else if (char === '"') {
      const end = endOfString(json, at);
      if (top?.seen != null && isMemberName(json, end)) {
        const name = JSON.parse(json.slice(at, end)) as string;
        path = top.path === '' ? name : `${top.path}.${name}`;
        if (top.seen.has(name)) duplicates.push(path);
        top.seen.add(name);
      }
      at = end;
      continue;
    }
    at += 1;
  }
  return duplicates;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isMemberName(json: string, end: number): boolean {
  let at = end;
  while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at += 1;
  return json[at] === ':';
}
