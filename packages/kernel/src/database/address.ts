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
  // A URL that names several servers is none to `URL`; the driver reads it by itself.
  if (!/[?&]host=/.test(text)) return { url: text }
  const url = new URL(text)
  const host = url.searchParams.get('host') ?? ''
  const port = Number(url.searchParams.get('port') ?? url.port) || 5432
  url.searchParams.delete('host')
  url.searchParams.delete('port')
  return { url: url.href, host, port }
}
