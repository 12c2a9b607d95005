// What TLS may be, at either end.

/** RFC 9325 section 4.2: forward secrecy and authenticated encryption only, for TLS 1.3 and 1.2. */
export const tlsCiphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  // Section 4.5: no RSA keys below 2048 bits, no SHA-1 signatures, in certificates neither.
  '@SECLEVEL=2',
].join(':')

/** RFC 9325 section 3.1: TLS 1.2 and 1.3. */
export const tlsVersions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const
