/** A custom domain as the data plane knows it: whose certificate it shows, and whom it lets in. */
export interface Domain {
  /** Lower case; `*.example.com` for every name one level below that has no domain of its own. */
  readonly name: string
  /** PEM: the certificate with its chain, and its private key. */
  readonly certificate: Certificate
  /** PEM: the authorities whose clients may connect. `null`: clients need no certificate. */
  readonly truststore: string | null
}

export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** What a name leads to: an entry of its own before a wildcard's; `undefined` where there is neither. */
export const byHost = <T>(entries: ReadonlyMap<string, T>, name: string): T | undefined =>
  entries.get(name) ?? entries.get(name.replace(/^[^.]+/, '*'))

/** The name in a `Host` header, without port, in lower case. */
export const hostName = (host: string): string => host.replace(/:\d+$/, '').toLowerCase()

const hostShape = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** Whether a value can stand in `Host` (RFC 9112 §3.2): a name or an address, perhaps with a port. */
export const isHost = (value: string): boolean => hostShape.test(value)
