import type { Logger } from 'pino'
import type { PemDirectory } from '../../tls/directory.ts'
import type { Domain } from '../../tls/domain.ts'
import { compileDomains } from '../../tls/domains.ts'
import { type NamedDomain, readDomain } from './certificates.ts'

export interface DomainReaderDeps {
  readonly pems: PemDirectory | undefined
  readonly logger: Logger
  readonly now: () => number
}

/**
 * Reads domains for the data plane, over and over. One whose files cannot be used now is served with those it had
 * before, and without any it is left out; the data plane closes it then if it wants certificates of clients.
 */
export function createDomainReader({ pems, logger, now }: DomainReaderDeps) {
  let kept = new Map<string, { readonly domain: Domain | null; readonly fault: string | null }>()

  const read = async (named: NamedDomain): Promise<[string, { domain: Domain | null; fault: string | null }]> => {
    const { certificateArn, mutualTlsAuthentication } = named.settings
    // Another certificate, another truststore: what was read for the earlier ones must not stand in.
    const key = JSON.stringify([named.accountId, named.name, certificateArn, mutualTlsAuthentication])
    const before = kept.get(key)
    try {
      const found = await readDomain(named, pems)
      if (found === null) return [key, { domain: null, fault: null }]
      const { name, certificate, truststore } = found
      const isSame =
        before?.domain?.certificate.cert === certificate.cert &&
        before.domain.certificate.key === certificate.key &&
        before.domain.truststore === truststore
      if (isSame) return [key, { domain: before.domain, fault: null }]
      const domain: Domain = { name, certificate, truststore }
      // By itself: it must not take the others down.
      compileDomains([domain], now())
      return [key, { domain, fault: null }]
    } catch (cause) {
      const fault = (cause as Error).message
      const domain = before?.domain ?? null
      if (before?.fault !== fault) {
        logger.error({ domain: named.name, fault, isServedAsBefore: domain !== null }, 'a domain cannot be served')
      }
      return [key, { domain, fault }]
    }
  }

  return async (named: readonly NamedDomain[]): Promise<readonly Domain[]> => {
    kept = new Map(await Promise.all(named.map(read)))
    return [...kept.values()].flatMap(({ domain }) => (domain === null ? [] : [domain]))
  }
}
