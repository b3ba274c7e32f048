import type { Client } from '../configuration.ts'

/** What HS256 signs a client's ID tokens with: its secret as it stands, or the bytes that its base64 means. */
export function secretKey({ client_id, secret, jwt_configuration }: Client): Buffer {
  if (secret === undefined) throw new Error(`The client ${client_id} has no secret to sign with.`)
  return Buffer.from(secret, jwt_configuration.secret_encoded ? 'base64url' : 'utf8')
}
