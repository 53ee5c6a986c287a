import { describe, expect, it } from 'vitest';
import { parseTlsPolicy, type TlsTexts } from './tls-policy.ts';

const UNSET: TlsTexts = { minVersion: '', maxVersion: '', cipherSuites: '', curvePreferences: '' };

describe('parseTlsPolicy', () => {
  it('QP-161: TLS 1.3 is the minimum unless overridden', () => {
    expect(parseTlsPolicy(UNSET)).toEqual({ minVersion: 'TLSv1.3' });
    expect(parseTlsPolicy({ ...UNSET, minVersion: '1.2', maxVersion: '1.3' })).toEqual({
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
    });
  });

  it('QP-9: suites and curves have the names of the reference', () => {
    const policy = parseTlsPolicy({
      ...UNSET,
      cipherSuites: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256',
      curvePreferences: 'CurveP256,P-384,X25519',
    });
    expect(policy.ciphers).toContain('ECDHE-RSA-AES128-GCM-SHA256');
    expect(policy.ecdhCurve).toBe('P-256:P-384:X25519');
  });

  it.each([
    [{ minVersion: '1.1' }, /QUEUE_PROXY_TLS_MIN_VERSION: unknown TLS version "1\.1"/],
    [{ maxVersion: 'TLS1.2' }, /QUEUE_PROXY_TLS_MAX_VERSION: unknown TLS version "TLS1\.2"/],
    [{ maxVersion: '1.2' }, /below the minimum version/],
    [{ cipherSuites: 'RC4' }, /QUEUE_PROXY_TLS_CIPHER_SUITES: unknown cipher suite "RC4"/],
    [{ curvePreferences: 'P-1' }, /QUEUE_PROXY_TLS_CURVE_PREFERENCES: unknown curve "P-1"/],
  ])('QP-161: unknown names are errors that show them: %j', (changes, message) => {
    expect(() => parseTlsPolicy({ ...UNSET, ...changes })).toThrow(message);
  });

  it('ACT-6: the activator is told of its own variables', () => {
    expect(() => parseTlsPolicy({ ...UNSET, minVersion: '1.1' }, 'ACTIVATOR_TLS')).toThrow(
      /^ACTIVATOR_TLS_MIN_VERSION: unknown TLS version "1\.1"/,
    );
  });
});
