// TLS versions, cipher suites and curves by the names Knative's configuration uses (QP-9, QP-161),
// translated to what OpenSSL calls them. Pure. Read only when TLS is on: with TLS off a wrong name
// must not keep a role from starting (QP-161, ACT-6).

import type { TlsPolicy } from './tls-server.ts';

/** The variables as they stand in the environment; '' = not set. */
export interface TlsTexts {
  readonly minVersion: string;
  readonly maxVersion: string;
  readonly cipherSuites: string;
  readonly curvePreferences: string;
}

const VERSIONS = { '1.2': 'TLSv1.2', '1.3': 'TLSv1.3' } as const;

/** Those OpenSSL still offers at its default security level; 1.3 suites cannot be chosen. */
const SUITES: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
};
/** Short names the reference knows for two of them. */
const SUITE_ALIASES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
};
/** 1.3 suites: accepted in the list, always on. */
const FIXED_SUITES = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
];

const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  'P-256': 'P-256',
  CurveP384: 'P-384',
  'P-384': 'P-384',
  CurveP521: 'P-521',
  'P-521': 'P-521',
  X25519: 'X25519',
  X25519MLKEM768: 'X25519MLKEM768',
};

/**
 * Throws an Error that names the variable and the offending text. `prefix` begins the names of the
 * role's variables.
 */
export function parseTlsPolicy(texts: TlsTexts, prefix = 'QUEUE_PROXY_TLS'): TlsPolicy {
  const minVersion = version(`${prefix}_MIN_VERSION`, texts.minVersion) ?? 'TLSv1.3';
  const maxVersion = version(`${prefix}_MAX_VERSION`, texts.maxVersion);
  if (maxVersion !== null && maxVersion < minVersion) {
    throw new Error(`${prefix}_MAX_VERSION: "${texts.maxVersion}" is below the minimum version`);
  }
  const suites = names(texts.cipherSuites).map((name) => suite(`${prefix}_CIPHER_SUITES`, name));
  const curves = names(texts.curvePreferences).map((name) =>
    curve(`${prefix}_CURVE_PREFERENCES`, name),
  );
  return {
    minVersion,
    ...(maxVersion === null ? {} : { maxVersion }),
    ...(suites.length === 0 ? {} : { ciphers: [...FIXED_SUITES, ...suites].join(':') }),
    ...(curves.length === 0 ? {} : { ecdhCurve: curves.join(':') }),
  };
}

function version(variable: string, text: string): 'TLSv1.2' | 'TLSv1.3' | null {
  if (text === '') return null;
  if (text === '1.2' || text === '1.3') return VERSIONS[text];
  throw new Error(`${variable}: unknown TLS version "${text}", use "1.2" or "1.3"`);
}

function suite(variable: string, name: string): string {
  const known = SUITES[SUITE_ALIASES[name] ?? name];
  if (known !== undefined) return known;
  if (FIXED_SUITES.includes(name)) return name;
  throw new Error(`${variable}: unknown cipher suite "${name}"`);
}

function curve(variable: string, name: string): string {
  const known = CURVES[name];
  if (known !== undefined) return known;
  throw new Error(`${variable}: unknown curve "${name}"`);
}

function names(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
