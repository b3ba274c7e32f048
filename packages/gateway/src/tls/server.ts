import { constants } from 'node:crypto'
import tls from 'node:tls'
import { type ClientServer, type ClientServerDeps, serveClients, socketOptions } from '../inbound/server.ts'
import { noteHandshake } from './admission.ts'
import { hostName } from './domain.ts'
import type { Domains } from './domains.ts'

/**
 * A server that shows each name the certificate of its domain, and no certificate to any other name.
 *
 * @param domains those of this moment: replaced certificates are shown from the next handshake on
 */
export function createTlsServer(deps: ClientServerDeps, domains: () => Domains): ClientServer {
  const server = tls.createServer({
    ...socketOptions,
    minVersion: 'TLSv1.2',
    // One parser decides where requests begin and end, and HTTP/2 would bring another.
    ALPNProtocols: ['http/1.1'],
    // Whether a certificate is needed depends on the domain, and is decided in `admission.ts`.
    requestCert: true,
    rejectUnauthorized: false,
    // No resumption: a session would carry the verdict on a client from one domain to another.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    handshakeTimeout: 10_000,
    SNICallback: (name, done) => {
      const context = domains().find(hostName(name))?.context ?? null
      if (context === null) done(new Error(`there is no certificate for ${JSON.stringify(name)}`))
      else done(null, context)
    },
  })
  server.on('secureConnection', (socket) => noteHandshake(socket, domains()))
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return serveClients(server, 'secureConnection', deps)
}
