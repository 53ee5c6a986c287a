// Wake notices: what is sent is read again, what somebody else sends is not taken for one.

import { describe, expect, it } from 'vitest';
import { decodeWakeNotice, encodeWakeNotice } from './wake-notice.ts';

describe('a wake notice', () => {
  it('is read as it was sent', () => {
    const notice = { revision: 'default/hello-00001', decidedAgoMs: 2.5, scaledAgoMs: 0 };
    expect(decodeWakeNotice(encodeWakeNotice(notice))).toEqual(notice);
  });

  it.each([
    '',
    'null',
    '7',
    '{}',
    '{"wake":null}',
    '{"wake":{"revision":"a/b"}}',
    '{"wake":{"revision":"a/b","decidedAgoMs":-1,"scaledAgoMs":0}}',
    '{"wake":{"revision":"a/b","decidedAgoMs":"1","scaledAgoMs":0}}',
    '{"wake":{"revision":7,"decidedAgoMs":1,"scaledAgoMs":0}}',
  ])('is not %j', (text) => {
    expect(decodeWakeNotice(text)).toBeNull();
  });
});
