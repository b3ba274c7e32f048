/** Fixture of the tests of TLS: authorities, and certificates of servers and clients, made anew each time. */
import { webcrypto } from 'node:crypto'
// @peculiar/x509 resolves its parts through decorators' metadata and does not load without it.
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
  readonly name: string
  readonly keys: webcrypto.CryptoKeyPair
}

export interface Issue {
  readonly name: string
  /** Self-signed without. */
  readonly issuer?: TestCertificate
  readonly isAuthority?: boolean
  readonly hosts?: readonly string[]
  readonly days?: readonly [from: number, to: number]
  readonly algorithm?: keyof typeof algorithms
}

const rsa = (modulusLength: number, hash: string) => ({
  name: 'RSASSA-PKCS1-v1_5',
  hash,
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
})
const algorithms = {
  p256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa1024: rsa(1024, 'SHA-256'),
  rsa2048: rsa(2048, 'SHA-256'),
  sha1: rsa(2048, 'SHA-1'),
} as const

const day = 86_400_000

export async function issue({
  name,
  issuer,
  isAuthority = false,
  hosts = [],
  days = [-1, 90],
  algorithm = 'p256',
}: Issue): Promise<TestCertificate> {
  const signingAlgorithm = algorithms[algorithm]
  const keys = (await webcrypto.subtle.generateKey(signingAlgorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const common = {
    notBefore: new Date(Date.now() + days[0] * day),
    notAfter: new Date(Date.now() + days[1] * day),
    // What signs is the issuer's key; its kind need not be the subject's.
    signingAlgorithm:
      issuer === undefined ? signingAlgorithm : (issuer.keys.privateKey.algorithm as typeof signingAlgorithm),
    extensions: [
      new BasicConstraintsExtension(isAuthority, undefined, true),
      ...(hosts.length === 0
        ? []
        : [new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns' as const, value })))]),
    ],
  }
  const certificate =
    issuer === undefined
      ? await X509CertificateGenerator.createSelfSigned({ ...common, name: `CN=${name}`, keys })
      : await X509CertificateGenerator.create({
          ...common,
          signingAlgorithm: { ...common.signingAlgorithm, hash: 'SHA-256' } as typeof signingAlgorithm,
          subject: `CN=${name}`,
          issuer: `CN=${issuer.name}`,
          publicKey: keys.publicKey,
          signingKey: issuer.keys.privateKey,
        })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { cert: `${certificate.toString('pem')}\n`, key: PemConverter.encode(key, 'PRIVATE KEY'), name, keys }
}
