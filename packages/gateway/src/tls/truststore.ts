/**
 * Truststores of mutual TLS, by AWS's rules: the complete chains from issuing authority to root in one PEM, no chain
 * longer than four, nothing weaker than SHA-256, RSA of 2048 bits or elliptic curves of 256.
 */
import { X509Certificate } from 'node:crypto'

export interface Truststore {
  readonly authorities: readonly X509Certificate[]
  /** What AWS reports as `truststoreWarnings`: certificates that vouch for nobody now. */
  readonly warnings: readonly string[]
}

const chainLimit = 4

const pem = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/**
 * @param now milliseconds since 1970, for the warnings
 * @throws Error saying which certificate cannot be used, and why
 */
export function readTruststore(text: string, now: number): Truststore {
  const certificates = (text.match(pem) ?? []).map((part, index) => parse(part, index))
  if (certificates.length === 0)
    throw new Error('the truststore holds no certificate: it is one PEM file of authorities')
  const bySubject = new Map<string, X509Certificate>()
  for (const certificate of certificates) {
    const name = nameOf(certificate)
    if (!certificate.ca) throw new Error(`"${name}" in the truststore is no certificate of an authority`)
    const weakness = weaknessOf(certificate)
    if (weakness !== null) throw new Error(`"${name}" in the truststore ${weakness}`)
    const twin = bySubject.get(certificate.subject)
    if (twin !== undefined && twin.fingerprint256 !== certificate.fingerprint256) {
      throw new Error(`the truststore holds two certificates for "${name}": each subject needs exactly one issuer`)
    }
    bySubject.set(certificate.subject, certificate)
  }
  for (const certificate of bySubject.values()) checkChain(certificate, bySubject)
  const warnings = [...bySubject.values()].flatMap((certificate) => warningsOf(certificate, now))
  return {
    authorities: [...bySubject.values()],
    warnings,
  }
}

/** Whether an authority of the truststore has issued a certificate. */
export const isIssuedBy = (certificate: X509Certificate, { authorities }: Truststore): boolean =>
  authorities.some((authority) => isIssued(certificate, authority))

const isIssued = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

/** What makes a certificate too weak for mutual TLS; `null`: nothing. */
export function weaknessOf({ publicKey, signatureAlgorithm }: X509Certificate): string | null {
  if (/sha-?1|sha-?224|md[245]/i.test(signatureAlgorithm ?? 'md5')) {
    return `is signed with ${signatureAlgorithm}: SHA-256 or stronger is needed`
  }
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  const type = publicKey.asymmetricKeyType
  if ((type === 'rsa' || type === 'rsa-pss') && (modulusLength ?? 0) >= 2048) return null
  if (type === 'ec' && curves.has(namedCurve ?? '')) return null
  return `has a ${type} key of ${modulusLength ?? namedCurve ?? 'an unknown'} size: RSA of 2048 bits or ECDSA of 256 is needed`
}

const curves: ReadonlySet<string> = new Set(['prime256v1', 'secp256k1', 'secp384r1', 'secp521r1'])

function parse(text: string, index: number): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch (cause) {
    throw new Error(`certificate ${index + 1} of the truststore cannot be read`, { cause })
  }
}

function checkChain(start: X509Certificate, bySubject: ReadonlyMap<string, X509Certificate>): void {
  let certificate = start
  for (let length = 1; certificate.issuer !== certificate.subject; length++) {
    const issuer = bySubject.get(certificate.issuer)
    if (issuer === undefined || !isIssued(certificate, issuer)) {
      throw new Error(
        `the truststore lacks the issuer of "${nameOf(certificate)}": it must hold whole chains to a root`,
      )
    }
    if (length >= chainLimit) throw new Error(`the chain above "${nameOf(start)}" is longer than ${chainLimit}`)
    certificate = issuer
  }
}

function warningsOf(certificate: X509Certificate, now: number): string[] {
  const name = nameOf(certificate)
  if (certificate.validToDate.getTime() <= now) return [`"${name}" has expired: no client of it is let in`]
  return certificate.validFromDate.getTime() > now ? [`"${name}" is not valid yet: no client of it is let in`] : []
}

const nameOf = ({ subject }: X509Certificate): string => subject.replaceAll('\n', ',')
