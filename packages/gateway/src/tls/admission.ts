/**
 * Which connections may carry which requests. A handshake is made with the name in SNI, a request names its host again:
 * where mutual TLS is involved both must be the same domain, or a client without certificate gets in by shaking hands
 * with the domain next door.
 */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type Answer, answers } from '../answers.ts'
import { connectionOf } from '../connection.ts'
import type { Exchange } from '../exchange.ts'
import { hostName } from './domain.ts'
import type { CompiledDomain, Domains } from './domains.ts'
import { isIssuedBy, weaknessOf } from './truststore.ts'

/** What a handshake has shown. */
export interface Handshake {
  /** Name of the domain whose certificate the client accepted. */
  readonly domain: string
  /** The truststore that the client's certificate was verified with. */
  readonly truststore: string | null
  /** The client's certificate; `null` unless it was verified. */
  readonly client: ClientCertificate | null
  /** Of the client's certificate, in milliseconds since 1970. */
  readonly expiresAt: number
}

/** A verified certificate as events and `$context` show it. */
export interface ClientCertificate {
  readonly clientCertPem: string
  readonly subjectDN: string
  readonly issuerDN: string
  readonly serialNumber: string
  readonly validity: { readonly notBefore: string; readonly notAfter: string }
}

/** Remembers a finished handshake with its connection. */
export function noteHandshake(socket: TLSSocket, domains: Domains): void {
  const domain = typeof socket.servername === 'string' ? domains.find(hostName(socket.servername)) : undefined
  // Withdrawn while hands were shaken.
  if (domain === undefined) socket.destroy()
  else connectionOf(socket).handshake = readHandshake(socket, domain)
}

function readHandshake(socket: TLSSocket, domain: CompiledDomain): Handshake {
  const { name, truststore } = domain
  const certificate = isVerified(socket, domain) ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return { domain: name, truststore, client: null, expiresAt: 0 }
  return {
    domain: name,
    truststore,
    client: describeCertificate(certificate),
    expiresAt: certificate.validToDate.getTime(),
  }
}

function isVerified(socket: TLSSocket, { trusted }: CompiledDomain): boolean {
  // A resumed session brings the verdict of another handshake along, perhaps by another truststore (CVE-2025-23419).
  if (trusted === null || !socket.authorized || socket.isSessionReused()) return false
  const leaf = socket.getPeerX509Certificate()
  // Asked again of the truststore of this moment: it may have been replaced since the handshake began. It holds whole
  // chains, so whoever has issued the certificate is in it.
  return leaf !== undefined && weaknessOf(leaf) === null && isIssuedBy(leaf, trusted)
}

/** A certificate as events show it. */
export const describeCertificate = (certificate: X509Certificate): ClientCertificate => ({
  clientCertPem: certificate.toString(),
  subjectDN: certificate.subject.replaceAll('\n', ','),
  issuerDN: certificate.issuer.replaceAll('\n', ','),
  serialNumber: certificate.serialNumber,
  validity: { notBefore: certificate.validFrom, notAfter: certificate.validTo },
})

/** Why the connection of a request may not carry it to the host it names; `null`: it may. */
export function admit(domains: Domains, { head, receivedAt, request }: Exchange): Answer | null {
  const { handshake } = connectionOf(request.socket)
  if (!domains.isMutual && (handshake === null || handshake.truststore === null)) return null
  const asked = domains.find(hostName(head?.host ?? ''))
  const truststore = asked?.truststore ?? null
  if (truststore === null && (handshake?.truststore ?? null) === null) return null
  // Over plain HTTP, by another name, or by a truststore that has been replaced: a new connection may do.
  if (handshake === null || handshake.domain !== asked?.name || handshake.truststore !== truststore) {
    return answers.misdirected
  }
  return handshake.client === null || handshake.expiresAt <= receivedAt ? answers.certificateRefused : null
}
