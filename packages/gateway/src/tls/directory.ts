/**
 * The certificates and truststores that domains name by Amazon's ARNs and addresses, as PEM files of the operator:
 *
 *   arn:aws:acm:us-east-1:123456789012:certificate/abc   123456789012/certificate/abc.pem  chain and private key
 *   s3://authorities/devices.pem                         123456789012/s3/authorities/devices.pem
 *
 * The account is that of the domain, so nobody shows another environment's certificate. A file that is replaced counts
 * from the next look on.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { defineProblems, type Problem } from '@tenantry/kernel/problem.ts'
import type { Certificate } from './domain.ts'

export const problems = defineProblems({
  tls_file_unusable: { status: 400, title: '{reason}' },
})

export interface PemDirectory {
  /**
   * @param arn of a certificate
   * @param accountId of whoever has the domain
   * @throws Problem `tls_file_unusable`, which says what to do
   */
  certificate(arn: string, accountId: string): Promise<FoundCertificate>
  /**
   * @param uri `s3://bucket/key`
   * @throws Problem `tls_file_unusable`, which says what to do
   */
  truststore(uri: string, accountId: string): Promise<string>
}

export interface FoundCertificate extends Certificate {
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** @param name of a domain; `*.example.com` is covered by a certificate for it */
  covers(name: string): boolean
}

// Larger ones are no PEM of a person's making.
const maxBytes = 1024 * 1024

/** @param root holds a folder for each account */
export function createPemDirectory(root: string): PemDirectory {
  const kept = new Map<string, { version: string; text: string }>()

  const read = async (name: string, missing: string): Promise<string> => {
    const file = path.join(root, name)
    const found = await stat(file).catch(() => undefined)
    if (found?.isFile() !== true)
      throw refuse(`${missing}: there is no ${name} in the gateway's directory of TLS files`)
    if (found.size > maxBytes) throw refuse(`${name} in the gateway's directory of TLS files is larger than 1 MiB`)
    const version = [found.dev, found.ino, found.size, found.mtimeMs].join()
    const before = kept.get(file)
    if (before?.version === version) return before.text
    const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw refuse(`${name} in the gateway's directory of TLS files cannot be read (${cause.code})`, cause)
    })
    kept.set(file, { version, text })
    return text
  }

  return {
    certificate: async (arn, accountId) => {
      const name = certificateFile(arn, accountId)
      return readCertificate(
        await read(
          name,
          `the certificate ${arn} is not known here; its chain and private key belong into one PEM file`,
        ),
        `${name} in the gateway's directory of TLS files`,
      )
    },
    truststore: (uri, accountId) =>
      read(
        truststoreFile(uri, accountId),
        `the truststore ${uri} is not known here; it is one PEM file of authorities`,
      ),
  }
}

const refuse = (reason: string, cause?: unknown): Problem =>
  problems.tls_file_unusable({ facts: { reason: `${reason[0]!.toUpperCase()}${reason.slice(1)}.` }, cause })

function certificateFile(arn: string, accountId: string): string {
  const [, account, id] = /^arn:aws[a-z-]*:acm:[a-z0-9-]*:(\d{12}):certificate\/([A-Za-z0-9-]{1,128})$/.exec(arn) ?? []
  if (id === undefined)
    throw refuse(`"${arn}" is no ARN of a certificate: arn:aws:acm:REGION:${accountId}:certificate/ID`)
  if (account !== accountId) throw refuse(`the certificate ${arn} belongs to another account; yours is ${accountId}`)
  return `${accountId}/certificate/${id}.pem`
}

function truststoreFile(uri: string, accountId: string): string {
  const match = /^s3:\/\/((?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\/)+[A-Za-z0-9_-][A-Za-z0-9._-]{0,127})$/.exec(uri)
  if (match === null || uri.length > 512) {
    throw refuse(`"${uri}" is no address of a truststore: s3://BUCKET/KEY, of letters, digits, "-", "_", "." and "/"`)
  }
  return `${accountId}/s3/${match[1]}`
}

/**
 * @param text a certificate, its chain and one private key (PEM)
 * @param at where it was found, for whoever has to mend it
 * @throws Problem `tls_file_unusable`
 */
export function readCertificate(text: string, at: string): FoundCertificate {
  const chain = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  const keys = text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g) ?? []
  const [first] = chain
  const [key] = keys
  if (first === undefined || key === undefined || keys.length > 1) {
    throw refuse(`${at} must hold a certificate, its chain and one private key`)
  }
  let leaf: X509Certificate
  let privateKey: KeyObject
  try {
    leaf = new X509Certificate(first)
    privateKey = createPrivateKey(key)
  } catch (cause) {
    throw refuse(`${at} holds a certificate or a private key that cannot be read`, cause)
  }
  if (!leaf.checkPrivateKey(privateKey)) throw refuse(`the private key in ${at} is not that of its first certificate`)
  return {
    cert: `${chain.join('\n')}\n`,
    key,
    expiresAt: leaf.validToDate.getTime(),
    covers: (domain) => leaf.checkHost(domain.replace(/^\*(?=\.)/, 'any-name')) !== undefined,
  }
}
