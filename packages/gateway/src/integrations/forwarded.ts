import type { Socket } from 'node:net'
import { connectionOf } from '../connection.ts'

/**
 * What the gateway tells an upstream about the connection it saw. AWS sends `forwarded` and `via` to HTTP integrations
 * and the `x-forwarded-*` family elsewhere; the exact set for HTTP integrations is unconfirmed, so it is written here
 * and nowhere else. A client's own values are dropped, not extended: an upstream cannot tell the forged part of a list
 * from the observed one.
 */
export function forwardedFields(socket: Socket, host: string): readonly string[] {
  const connection = connectionOf(socket)
  if (connection.forwarded?.host === host) return connection.forwarded.fields
  const address = socket.remoteAddress ?? 'unknown'
  const client = address.startsWith('::ffff:') ? address.slice(7) : address
  const proto = 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http'
  const fields = [
    'forwarded',
    `for=${client.includes(':') ? `"[${client}]"` : client};host=${quoted(host)};proto=${proto}`,
    'x-forwarded-for',
    client,
    'x-forwarded-host',
    host,
    'x-forwarded-port',
    String(socket.localPort ?? ''),
    'x-forwarded-proto',
    proto,
  ]
  connection.forwarded = { host, fields }
  return fields
}

// RFC 7239 §4: what is not a token is a quoted string.
const quoted = (host: string): string =>
  /^[\w.!#$%&'*+\-^`|~]+$/.test(host) ? host : `"${host.replace(/["\\]/g, '')}"`
