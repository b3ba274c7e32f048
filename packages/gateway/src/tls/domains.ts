import { createSecureContext, type SecureContext } from 'node:tls'
import type { Api } from '../api.ts'
import { byHost, type Domain } from './domain.ts'
import { readTruststore, type Truststore } from './truststore.ts'

/** The custom domains of one moment, ready for handshakes. */
export interface Domains {
  readonly all: ReadonlyMap<string, CompiledDomain>
  /** `undefined` for a name that is no domain here: there is no certificate to show. */
  find(name: string): CompiledDomain | undefined
  /** Whether any of them asks clients for certificates. */
  readonly isMutual: boolean
  /** Expired authorities and the like, each with its domain. */
  readonly warnings: readonly string[]
}

export interface CompiledDomain {
  readonly name: string
  /** `null`: it is closed, and no hands are shaken. */
  readonly context: SecureContext | null
  /** As it was configured: equal texts let in equal clients. */
  readonly truststore: string | null
  readonly trusted: Truststore | null
}

/**
 * @param now milliseconds since 1970
 * @throws Error naming the domain whose certificate or truststore cannot be used
 */
export function compileDomains(domains: readonly Domain[], now: number): Domains {
  const compiled = new Map<string, CompiledDomain>()
  for (const domain of domains) {
    const { name } = domain
    if (name !== name.toLowerCase() || name.includes('_')) throw new Error(`the domain "${name}" is not in lower case`)
    if (compiled.has(name)) throw new Error(`the domain "${name}" is defined twice`)
    try {
      compiled.set(name, compileDomain(domain, now))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`the domain "${name}" cannot be served: ${reason}`, { cause })
    }
  }
  return domainsOf(compiled)
}

const domainsOf = (all: ReadonlyMap<string, CompiledDomain>): Domains => ({
  all,
  find: (name) => byHost(all, name),
  isMutual: [...all.values()].some(({ truststore }) => truststore !== null),
  warnings: [...all.values()].flatMap(({ name, trusted }) =>
    (trusted?.warnings ?? []).map((text) => `${name}: ${text}`),
  ),
})

/**
 * Closes the domains whose APIs want certificates of clients while there is no truststore here to check them with: a
 * file that cannot be read must not let everybody in.
 */
export function withClosed(domains: Domains, apis: readonly Api[]): Domains {
  const asked = apis.flatMap(({ endpoints }) =>
    endpoints.flatMap(({ host, truststoreUri }) => (host === null || truststoreUri === undefined ? [] : [host])),
  )
  const closed = asked.filter((name) => (domains.all.get(name)?.truststore ?? null) === null)
  if (closed.length === 0) return domains
  const entries = closed.map((name) => [name, { name, context: null, truststore: nobody, trusted: null }] as const)
  return domainsOf(new Map([...domains.all, ...entries]))
}

/** The APIs under a domain with mutual TLS that also answer where nobody is asked for a certificate. */
export const reachedPast = (domains: Domains, apis: readonly Api[]): readonly Api[] =>
  apis.filter(({ disableExecuteApiEndpoint, endpoints }) => {
    const isMutual = endpoints.some(({ host }) => host !== null && (domains.find(host)?.truststore ?? null) !== null)
    return isMutual && !disableExecuteApiEndpoint && endpoints.some(({ kind }) => kind === 'stage')
  })

function compileDomain({ name, certificate, truststore }: Domain, now: number): CompiledDomain {
  const trusted = truststore === null ? null : readTruststore(truststore, now)
  const ca = trusted === null ? [nobody] : trusted.authorities.map(String)
  return { name, context: createSecureContext({ ...certificate, ca }), truststore, trusted }
}

// Node asks the clients of a port for certificates, or it does not: it cannot ask those of one domain only. Whom it
// asks is told which authorities are trusted, though, and browsers show their user no choice of certificates when they
// have none of these. Domains without mutual TLS trust this one, whose key is gone; what comes anyway is not looked at.
const nobody = `-----BEGIN CERTIFICATE-----
MIIBuTCCAV+gAwIBAgIUQcQuANMZJv5Myf5wBrHRIGllsUAwCgYIKoZIzj0EAwIw
MTEvMC0GA1UEAwwmTm8gY2xpZW50IGNlcnRpZmljYXRlIGlzIGV4cGVjdGVkIGhl
cmUwIBcNMjYxMTMwMDAwMTI3WhgPMjEyNjExMDYwMDAxMjdaMDExLzAtBgNVBAMM
Jk5vIGNsaWVudCBjZXJ0aWZpY2F0ZSBpcyBleHBlY3RlZCBoZXJlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEYM4bh0mST73iic1MkTWUxuCaU0eltVj2tBtONjPy
dSS7fcB1smaPCPELGDcFhomthgr6h9jKsaRs0qwdwbZzO6NTMFEwHQYDVR0OBBYE
FAQDmPN2SB0M2d60BDsqfgQO1WWbMB8GA1UdIwQYMBaAFAQDmPN2SB0M2d60BDsq
fgQO1WWbMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAMskX+qM
zMyA35nxwfdmIJudZhftOdppt024zji/TQLEAiA70+1hAsEhkXcCBfSJHs3s8J+H
VQ45YPxKi+O5MGZxRQ==
-----END CERTIFICATE-----`
