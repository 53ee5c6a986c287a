// The vectors of QP-92 and RC-21.

import { describe, expect, it } from 'vitest';
import { buildForwarded } from './forwarded.ts';

describe('buildForwarded', () => {
  it.each([
    ['127.0.0.1, ::1', 'h', 'p', '', 'for=127.0.0.1;host=h;proto=p, for="[::1]"'],
    ['127.0.0.1', 'h', 'p', '', 'for=127.0.0.1;host=h;proto=p'],
    ['127.0.0.1, ::1', '', '', '', 'for=127.0.0.1, for="[::1]"'],
    ['127.0.0.1, ::1', '', 'p', '', 'for=127.0.0.1;proto=p, for="[::1]"'],
    ['127.0.0.1, ::1', 'h', '', '', 'for=127.0.0.1;host=h, for="[::1]"'],
    ['', 'h', '', '', 'host=h'],
    ['', '', 'p', '', 'proto=p'],
    ['', 'h', 'p', '', 'host=h;proto=p'],
    [',,,', '', '', '', 'for=, for=, for='],
    [',1.1.1.1', 'hh', '', '', 'for=host=hh, for=1.1.1.1'],
    ['127.0.0.1, ::1', 'h', 'p', 'for=a, for=b', ''],
    ['', '', '', '', ''],
    ['::1', '', '', '', 'for="[::1]"'],
    ['1.2.3.4, 5.6.7.8', 'ex.com', 'https', '', 'for=1.2.3.4;host=ex.com;proto=https, for=5.6.7.8'],
  ])('QP-92: for "%s", host "%s", proto "%s", forwarded "%s" gives "%s"', (...row) => {
    const [addresses, host, proto, forwarded, expected] = row;
    expect(buildForwarded(forwarded, addresses, host, proto)).toBe(expected);
  });
});
