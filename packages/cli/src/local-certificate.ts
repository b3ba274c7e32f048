/**
 * TLS on localhost: a certificate authority of this directory's own and a certificate from it.
 *
 * A person may tell a browser to trust `ca.pem`. So that this trust is worth nothing to whoever steals `ca.key`, the
 * authority is constrained to localhost and the loopback addresses (RFC 5280 §4.2.1.10): no client accepts a
 * certificate from it for any other name.
 */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Pair } from './certificate-authority.ts'

export interface LocalCertificate {
  /** The authority's certificate, for `NODE_EXTRA_CA_CERTS`, `curl --cacert` or a browser's settings. */
  caFile: string
  /** PEM. */
  cert: string
  key: string
}

export interface LocalCertificateOptions {
  directory: string
  clock: Clock
}

const DAY = 86_400
const RENEWAL_DAYS = 30

/** Returns the directory's certificate; makes or renews it, and its authority, when within 30 days of their end. */
export async function ensureLocalCertificate({ directory, clock }: LocalCertificateOptions): Promise<LocalCertificate> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const now = clock.now()
  // Loaded when needed: the library costs more time than all the rest of a start that finds its certificate.
  const making = () => import('./certificate-authority.ts')
  const ca = readPair(directory, 'ca', now) ?? keep(directory, 'ca', await (await making()).makeAuthority(now))
  const authority = new X509Certificate(ca.cert)
  const kept = readPair(directory, 'localhost', now)
  const isOurs = kept && new X509Certificate(kept.cert).verify(authority.publicKey)
  const leaf = isOurs ? kept : keep(directory, 'localhost', await (await making()).makeLeaf(ca, now))
  return { caFile: join(directory, 'ca.pem'), ...leaf }
}

/** Undefined when missing, damaged, not a pair, or soon at its end: then it is made anew. */
function readPair(directory: string, name: string, now: Date): Pair | undefined {
  const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)]
  if (!existsSync(certFile) || !existsSync(keyFile)) return undefined
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  try {
    const certificate = new X509Certificate(pair.cert)
    const usable =
      certificate.publicKey.equals(createPublicKey(pair.key)) &&
      certificate.validFromDate <= now &&
      certificate.validToDate > addSeconds(now, RENEWAL_DAYS * DAY)
    return usable ? pair : undefined
  } catch {
    return undefined
  }
}

function keep(directory: string, name: string, pair: Pair): Pair {
  // The key first: a certificate without its key would be taken for a damaged pair, and is anyway made anew.
  replace(join(directory, `${name}.key`), pair.key, 0o600)
  replace(join(directory, `${name}.pem`), pair.cert, 0o644)
  return pair
}

function replace(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.new`, text, { mode })
  renameSync(`${file}.new`, file)
}
