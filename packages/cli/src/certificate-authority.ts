/** Makes the certificates of local-certificate.ts. */
import { webcrypto } from 'node:crypto'
// @peculiar/x509 resolves its parts through decorators' metadata and does not load without it.
import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  X509Certificate as Certificate,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { addSeconds } from '@tenantry/kernel/clock.ts'

/** PEM. */
export interface Pair {
  cert: string
  key: string
}

const DAY = 86_400
const CA_DAYS = 3650
/** Browsers refuse server certificates that are valid for much longer than a year. */
const LEAF_DAYS = 397
/** A client whose clock is a little behind must not find the certificate not yet valid. */
const SKEW_SECONDS = 3600
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A self-signed authority for localhost alone, so that a stolen key can vouch for nothing else (RFC 5280 §4.2.1.10). */
export async function makeAuthority(now: Date): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // The time in the name: an operating system keeps an old and a new authority apart by it.
    name: `CN=Tenantry local authority ${now.toISOString().slice(0, 10)}, O=Tenantry`,
    notBefore: addSeconds(now, -SKEW_SECONDS),
    notAfter: addSeconds(now, CA_DAYS * DAY),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      localhostOnly(),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) }
}

/** A server certificate for localhost, names below it and the loopback addresses. */
export async function makeLeaf(ca: Pair, now: Date): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const authority = new Certificate(ca.cert)
  const signingKey = await webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(ca.key), ALGORITHM, false, [
    'sign',
  ])
  const certificate = await X509CertificateGenerator.create({
    subject: 'CN=localhost, O=Tenantry',
    issuer: authority.subjectName,
    notBefore: addSeconds(now, -SKEW_SECONDS),
    notAfter: earlier(addSeconds(now, LEAF_DAYS * DAY), authority.notAfter),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'dns', value: '*.localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
      await AuthorityKeyIdentifierExtension.create(authority),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) }
}

const earlier = (a: Date, b: Date): Date => (a < b ? a : b)

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

/** NameConstraints, permitted: localhost and below, 127.0.0.1/32, ::1/128. The library has no class for it. */
function localhostOnly(): Extension {
  const loopback6 = Buffer.alloc(16)
  loopback6[15] = 1
  const subtree = (tag: number, value: Buffer) => der(0x30, der(tag, value))
  const permitted = der(
    0xa0,
    subtree(0x82, Buffer.from('localhost')),
    subtree(0x87, Buffer.concat([Buffer.of(127, 0, 0, 1), Buffer.alloc(4, 0xff)])),
    subtree(0x87, Buffer.concat([loopback6, Buffer.alloc(16, 0xff)])),
  )
  return new Extension('2.5.29.30', true, der(0x30, permitted))
}

/** Tag, length, content (X.690 §8.1); contents here stay below 128 bytes, where a length is one byte. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag, content.length), content])
}
