/** An authenticator made of software, that can also do what no honest one does. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isoCBOR } from '@simplewebauthn/server/helpers'
import type { TestEnvironment, TestIdentity } from '../../testing.ts'
import type { CredentialType } from './store.ts'

const hash = (data: string | Buffer) => createHash('sha256').update(data).digest()
const b64 = (data: string | Buffer | Uint8Array) => Buffer.from(data).toString('base64url')

/** What differs from what an honest browser and authenticator would answer. */
export interface Lies {
  challenge?: string
  origin?: string
  rpId?: string
  type?: string
  crossOrigin?: boolean
  userVerified?: boolean
  userPresent?: boolean
  signCount?: number
  userHandle?: string
  id?: string
  /** ES384, which nobody offered. */
  otherAlgorithm?: boolean
  /** A statement about the maker that no verifier could accept. */
  attestation?: boolean
  attachment?: 'platform' | 'cross-platform'
  /** Signs with another key. */
  stolenId?: boolean
}

export interface Credential {
  id: string
  key: KeyObject
  rpId: string
  userHandle: string
  signCount: number
}

// biome-ignore lint/suspicious/noExplicitAny: options as a page carries them
type Options = any

function clientData(type: string, origin: string, options: Options, lies: Lies): Buffer {
  return Buffer.from(
    JSON.stringify({
      type: lies.type ?? type,
      challenge: lies.challenge ?? options.challenge,
      origin: lies.origin ?? origin,
      crossOrigin: lies.crossOrigin ?? false,
    }),
  )
}

function authenticatorData(rpId: string, signCount: number, lies: Lies, attested?: Buffer): Buffer {
  const flags =
    (lies.userPresent === false ? 0 : 0x01) | (lies.userVerified === false ? 0 : 0x04) | 0x08 | (attested ? 0x40 : 0)
  const count = Buffer.alloc(4)
  count.writeUInt32BE(signCount)
  return Buffer.concat([hash(lies.rpId ?? rpId), Buffer.of(flags), count, attested ?? Buffer.alloc(0)])
}

function newKey(otherAlgorithm: boolean | undefined): { key: KeyObject; cose: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: otherAlgorithm ? 'P-384' : 'P-256' })
  const { x, y } = publicKey.export({ format: 'jwk' })
  const entries: [number, unknown][] = [
    [1, 2],
    [3, otherAlgorithm ? -35 : -7],
    [-1, otherAlgorithm ? 2 : 1],
    [-2, new Uint8Array(Buffer.from(x!, 'base64url'))],
    [-3, new Uint8Array(Buffer.from(y!, 'base64url'))],
  ]
  return { key: privateKey, cose: Buffer.from(isoCBOR.encode(new Map(entries) as never)) }
}

/** navigator.credentials.create() */
export function make(origin: string, options: Options, lies: Lies = {}) {
  const { key, cose } = newKey(lies.otherAlgorithm)
  const rawId = lies.id === undefined ? randomBytes(32) : Buffer.from(lies.id, 'base64url')
  const signCount = lies.signCount ?? 0
  const length = Buffer.alloc(2)
  length.writeUInt16BE(rawId.length)
  const attested = Buffer.concat([Buffer.alloc(16), length, rawId, cose])
  const authData = authenticatorData(options.rp.id, signCount, lies, attested)
  const statement = lies.attestation
    ? new Map<string, unknown>([
        ['alg', -7],
        ['sig', new Uint8Array(8)],
        ['x5c', [new Uint8Array(8)]],
      ])
    : new Map()
  const attestationObject = isoCBOR.encode(
    new Map<string, unknown>([
      ['fmt', lies.attestation ? 'packed' : 'none'],
      ['attStmt', statement],
      ['authData', new Uint8Array(authData)],
    ]) as never,
  )
  const id = b64(rawId)
  const credential: Credential = { id, key, rpId: options.rp.id, userHandle: options.user.id, signCount }
  const answer = {
    id,
    rawId: id,
    type: 'public-key',
    authenticatorAttachment: lies.attachment ?? 'platform',
    clientExtensionResults: {},
    response: {
      clientDataJSON: b64(clientData('webauthn.create', origin, options, lies)),
      attestationObject: b64(attestationObject),
      transports: ['internal', 'hybrid', 'nonsense'],
    },
  }
  return { credential, answer }
}

/** A credential that a person has already, without the pages on which it is made. */
export async function give(
  { database }: Pick<TestIdentity, 'database'>,
  { id: environment_id, origin }: TestEnvironment,
  user_id: string,
  type: CredentialType = 'passkey',
): Promise<Credential & { method: string }> {
  const { key, cose } = newKey(false)
  const [id, userHandle] = [b64(randomBytes(32)), b64(randomBytes(32))]
  const rpId = new URL(origin).hostname
  const method = `${type}|dev_${id.replace(/[^A-Za-z0-9]/g, '').slice(0, 16)}`
  await database.inEnvironment(
    environment_id,
    (tx) =>
      tx`insert into authentication_methods ${tx({
        environment_id,
        id: method,
        user_id,
        type,
        confirmed: true,
        name: 'Firefox, Linux',
        credential_id: id,
        public_key: cose,
        sign_count: 0,
        transports: ['internal'],
        relying_party_identifier: rpId,
        user_handle: userHandle,
        created_at: new Date(),
      })}`,
  )
  return { id, key, rpId, userHandle, signCount: 0, method }
}

/** navigator.credentials.get() */
export function prove(origin: string, options: Options, credential: Credential, lies: Lies = {}) {
  credential.signCount = lies.signCount ?? credential.signCount + 1
  const clientDataJSON = clientData('webauthn.get', origin, options, lies)
  const data = authenticatorData(credential.rpId, credential.signCount, lies)
  const key = lies.stolenId ? newKey(false).key : credential.key
  const signature = sign('sha256', Buffer.concat([data, hash(clientDataJSON)]), key)
  const id = lies.id ?? credential.id
  return {
    id,
    rawId: id,
    type: 'public-key',
    authenticatorAttachment: lies.attachment ?? 'platform',
    clientExtensionResults: {},
    response: {
      clientDataJSON: b64(clientDataJSON),
      authenticatorData: b64(data),
      signature: b64(signature),
      userHandle: lies.userHandle ?? credential.userHandle,
    },
  }
}
