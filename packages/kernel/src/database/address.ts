/**
 * A connection URL as libpq understands it. The one difference to the driver's own reading: `?host=/directory` names
 * a Unix socket, where the driver would send `host` to the server as a setting, which refuses it.
 */
export interface Address {
  url: string
  /** Directory of the socket. */
  host?: string
  port?: number
}

export function parseAddress(text: string): Address {
  const url = new URL(text)
  const host = url.searchParams.get('host')
  if (!host) return { url: text }
  const port = Number(url.searchParams.get('port') ?? url.port) || 5432
  url.searchParams.delete('host')
  url.searchParams.delete('port')
  return { url: url.href, host, port }
}
