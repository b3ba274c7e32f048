import type { Socket } from 'node:net'
import { connectionOf } from '../connection.ts'
import { ownText } from '../field-text.ts'

/**
 * What the gateway tells an upstream about the connection it saw. AWS sends `forwarded` and `via` to HTTP integrations
 * and the `x-forwarded-*` family elsewhere; the exact set for HTTP integrations is unconfirmed, so it is written here
 * and nowhere else. A client's own values are dropped, not extended: an upstream cannot tell the forged part of a list
 * from the observed one.
 */
export function forwardedLines(socket: Socket, host: string): string {
  const connection = connectionOf(socket)
  if (connection.forwarded?.host === host) return connection.forwarded.lines
  const { client, proto } = seen(socket)
  const own = ownText(host)
  const lines =
    `forwarded: for=${client.includes(':') ? `"[${client}]"` : client};host=${quoted(own)};proto=${proto}\r\n` +
    `x-forwarded-for: ${client}\r\nx-forwarded-host: ${own}\r\n` +
    `x-forwarded-port: ${socket.localPort ?? ''}\r\nx-forwarded-proto: ${proto}\r\n`
  connection.forwarded = { host: own, lines }
  return lines
}

/** The same for functions, whose events AWS fills with the `x-forwarded-*` family. */
export function forwardedFields(socket: Socket): readonly (readonly [name: string, value: string])[] {
  const { client, proto } = seen(socket)
  return [
    ['x-forwarded-for', client],
    ['x-forwarded-port', String(socket.localPort ?? '')],
    ['x-forwarded-proto', proto],
  ]
}

function seen(socket: Socket): { client: string; proto: string } {
  const address = socket.remoteAddress ?? 'unknown'
  return {
    client: address.startsWith('::ffff:') ? address.slice(7) : address,
    proto: 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http',
  }
}

// RFC 7239 §4: what is not a token is a quoted string.
const quoted = (host: string): string =>
  /^[\w.!#$%&'*+\-^`|~]+$/.test(host) ? host : `"${host.replace(/["\\]/g, '')}"`
