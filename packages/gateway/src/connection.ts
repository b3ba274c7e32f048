import type { Duplex } from 'node:stream'
import type { Handshake } from './tls/admission.ts'

/** What is remembered of a client's connection across its requests. */
export interface Connection {
  /** The forwarding header lines for this host; the same for nearly every request of a connection. */
  forwarded: { readonly host: string; readonly lines: string } | null
  /** `null` without TLS. */
  handshake: Handshake | null
}

const connections = new WeakMap<Duplex, Connection>()

export function connectionOf(socket: Duplex): Connection {
  let connection = connections.get(socket)
  if (connection === undefined) {
    connection = { forwarded: null, handshake: null }
    connections.set(socket, connection)
  }
  return connection
}
