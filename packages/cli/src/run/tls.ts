/**
 * TLS where a definition is run: one certificate of the developer's, shown for localhost and for each custom domain that
 * it covers, and the truststores of the domains that ask clients for certificates.
 */
import { readFileSync } from 'node:fs'
import type { Api } from '@tenantry/gateway/api.ts'
import { type FoundCertificate, readCertificate } from '@tenantry/gateway/tls/directory.ts'
import type { Domain } from '@tenantry/gateway/tls/domain.ts'

export interface RunTls {
  /** 0 for any that is free. */
  readonly port: number
  /** PEM: the certificate, its chain and its private key. */
  readonly certificate: { readonly from: string; readonly text: string }
  /** A file of authorities (PEM) by domain. */
  readonly truststores: Readonly<Record<string, string>>
}

export interface ServedDomains {
  readonly domains: readonly Domain[]
  /** What is not to be had with TLS, and why. */
  readonly warnings: readonly string[]
}

/**
 * @param tls `undefined`: nothing is shown to anybody, and domains that want certificates of clients are closed
 * @throws Error naming the file or the domain that cannot be used
 */
export function domainsToServe(apis: readonly Api[], tls: RunTls | undefined): ServedDomains {
  const named = apis.flatMap(({ endpoints }) => endpoints.filter(({ kind }) => kind === 'mapping'))
  const mutual = new Set(named.flatMap(({ host, truststoreUri }) => (truststoreUri === undefined ? [] : [host])))
  const closed = (host: string | null, reason: string): string => `${host} is closed here: ${reason}`
  if (tls === undefined) {
    return {
      domains: [],
      warnings: [...mutual].map((host) =>
        closed(host, 'its clients need certificates; see --tls-port and --truststore'),
      ),
    }
  }
  const unknown = Object.keys(tls.truststores).find((host) => !mutual.has(host))
  if (unknown !== undefined) {
    throw new Error(`--truststore ${unknown}: the definition has no domain of this name with MutualTlsAuthentication`)
  }
  const certificate: FoundCertificate = readCertificate(tls.certificate.text, tls.certificate.from)
  const domains: Domain[] = []
  const warnings: string[] = []
  for (const host of new Set(['localhost', ...named.flatMap(({ host }) => (host === null ? [] : [host]))])) {
    const truststore = tls.truststores[host]
    if (!certificate.covers(host)) warnings.push(`${host} has no TLS here: ${tls.certificate.from} does not cover it`)
    else if (!mutual.has(host)) domains.push({ name: host, certificate, truststore: null })
    else if (truststore === undefined)
      warnings.push(closed(host, `its clients need certificates; --truststore ${host}=<file>`))
    else domains.push({ name: host, certificate, truststore: readTruststore(host, truststore) })
  }
  return { domains, warnings }
}

function readTruststore(host: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`--truststore ${host}=${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
