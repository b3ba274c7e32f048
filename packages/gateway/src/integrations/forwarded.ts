import type { Socket } from 'node:net'
import { connectionOf } from '../connection.ts'

/**
 * What the gateway tells an upstream about the connection it saw. AWS sends `forwarded` and `via` to HTTP integrations
 * and the `x-forwarded-*` family elsewhere; the exact set for HTTP integrations is unconfirmed, so it is written here
 * and nowhere else. A client's own values are dropped, not extended: an upstream cannot tell the forged part of a list
 * from the observed one.
 */
export function forwardedLines(socket: Socket, host: string): string {
  const connection = connectionOf(socket)
  if (connection.forwarded?.host === host) return connection.forwarded.lines
  const address = socket.remoteAddress ?? 'unknown'
  const client = address.startsWith('::ffff:') ? address.slice(7) : address
  const proto = 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http'
  const lines =
    `forwarded: for=${client.includes(':') ? `"[${client}]"` : client};host=${quoted(host)};proto=${proto}\r\n` +
    `x-forwarded-for: ${client}\r\nx-forwarded-host: ${host}\r\n` +
    `x-forwarded-port: ${socket.localPort ?? ''}\r\nx-forwarded-proto: ${proto}\r\n`
  connection.forwarded = { host, lines }
  return lines
}

// RFC 7239 §4: what is not a token is a quoted string.
const quoted = (host: string): string =>
  /^[\w.!#$%&'*+\-^`|~]+$/.test(host) ? host : `"${host.replace(/["\\]/g, '')}"`
