/**
 * The two ceremonies of WebAuthn Level 3: making a credential (§7.1) and proving one (§7.2). Data in and out; what is
 * stored, and whom a credential belongs to, is decided elsewhere.
 *
 * The relying party is the very host of the request, never a parent domain: environments that are siblings under one
 * domain could otherwise ask for each other's credentials.
 */

import { randomBytes } from 'node:crypto'
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server'
import { parseJson } from '@tenantry/kernel/http/body.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { friendlyName, type RequestEnvironment } from '../../environments/environment.ts'

// Large, and of use only where somebody has a credential: a start does not wait for it.
const library = () => import('@simplewebauthn/server')
const encodings = () => import('@simplewebauthn/server/helpers')

export interface RelyingParty {
  id: string
  name: string
  origin: string
}

export const relyingParty = (environment: RequestEnvironment): RelyingParty => ({
  id: new URL(environment.origin).hostname,
  name: friendlyName(environment),
  origin: environment.origin,
})

/** Ed25519, ES256, RS256: what is offered, and nothing else is taken. */
const ALGORITHMS = [-8, -7, -257]

export const newChallenge = (): string => randomBytes(32).toString('base64url')

/**
 * Whom an authenticator is told it serves. It says nothing about the person (WebAuthn §14.6.1), and is the same each time,
 * so that a second passkey of one person replaces the first in the same password manager instead of standing beside it.
 */
export const userHandle = (secrets: Secrets, environmentId: string, userId: string): string =>
  secrets.authenticate('webauthn-user-handle', `${environmentId}/${userId}`).toString('base64url')

export interface Descriptor {
  credential_id: string
  transports: string[] | null
}

const descriptors = (credentials: readonly Descriptor[]) =>
  credentials.map(({ credential_id, transports }) => ({
    type: 'public-key' as const,
    id: credential_id,
    ...(transports && transports.length > 0 ? { transports: transports as never } : {}),
  }))

/** How the two kinds of credentials are asked for. */
export interface Demands {
  /** A passkey is found by the authenticator itself, without an address typed before. */
  residentKey: 'required' | 'discouraged'
  userVerification: 'required' | 'discouraged'
  attachment?: 'platform' | 'cross-platform'
}

export const PASSKEY: Demands = { residentKey: 'required', userVerification: 'required' }

export const creationOptions = (
  party: RelyingParty,
  asked: {
    challenge: string
    user: { handle: string; name: string; displayName: string }
    /** Those that the person has: the same authenticator makes no second one. */
    known: readonly Descriptor[]
    demands: Demands
    timeout: number
  },
): PublicKeyCredentialCreationOptionsJSON => ({
  challenge: asked.challenge,
  timeout: asked.timeout,
  rp: { id: party.id, name: party.name },
  user: { id: asked.user.handle, name: asked.user.name, displayName: asked.user.displayName },
  pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
  excludeCredentials: descriptors(asked.known),
  authenticatorSelection: {
    residentKey: asked.demands.residentKey,
    requireResidentKey: asked.demands.residentKey === 'required',
    userVerification: asked.demands.userVerification,
    ...(asked.demands.attachment ? { authenticatorAttachment: asked.demands.attachment } : {}),
  },
  attestation: 'none',
})

export const requestOptions = (
  party: RelyingParty,
  asked: {
    challenge: string
    /** None for a passkey: naming a person's credentials would tell who has an account. */
    allowed?: readonly Descriptor[]
    userVerification: 'required' | 'discouraged'
    timeout: number
  },
): PublicKeyCredentialRequestOptionsJSON => ({
  challenge: asked.challenge,
  timeout: asked.timeout,
  rpId: party.id,
  userVerification: asked.userVerification,
  ...(asked.allowed ? { allowCredentials: descriptors(asked.allowed) } : {}),
})

export interface MadeCredential {
  credential_id: string
  public_key: Uint8Array
  sign_count: number
  transports: string[]
  aaguid: string
  credential_device_type: 'single_device' | 'multi_device'
  credential_backed_up: boolean
}

/** Either what was proven, or why nothing was: for the log, never for the page. */
export type Outcome<Proven> = ({ refused?: undefined } & Proven) | { refused: string }

const TRANSPORTS = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'])

/** What a browser sends back, as text or as an object: nothing of it is trusted. */
export function readResponse(given: unknown): { id: string; response: Record<string, unknown> } | undefined {
  let value = given
  if (typeof given === 'string') {
    try {
      value = parseJson(Buffer.from(given))
    } catch {
      return undefined
    }
  }
  if (value === null || typeof value !== 'object') return undefined
  const { id, response } = value as Record<string, unknown>
  // A credential's identifier has at most 1023 bytes (§7.1 step 25).
  if (typeof id !== 'string' || !/^[A-Za-z0-9_-]{1,1364}$/.test(id)) return undefined
  if (response === null || typeof response !== 'object') return undefined
  return value as { id: string; response: Record<string, unknown> }
}

export async function verifyCreation(
  party: RelyingParty,
  challenge: string,
  given: unknown,
  demands: Demands,
): Promise<Outcome<{ credential: MadeCredential }>> {
  const response = readResponse(given)
  if (!response) return { refused: 'The answer is no credential.' }
  try {
    refuseFrames(response)
    const { verifyRegistrationResponse } = await library()
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: (await withoutAttestation(response)) as unknown as RegistrationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: demands.userVerification === 'required',
      supportedAlgorithmIDs: ALGORITHMS,
    })
    if (!verified) return { refused: 'The credential could not be verified.' }
    const { transports } = response.response
    const named = Array.isArray(transports) ? transports.filter((name) => TRANSPORTS.has(name)) : []
    return {
      credential: {
        credential_id: registrationInfo.credential.id,
        public_key: registrationInfo.credential.publicKey,
        sign_count: registrationInfo.credential.counter,
        transports: [...new Set<string>(named)],
        aaguid: registrationInfo.aaguid,
        credential_device_type: deviceType(registrationInfo.credentialDeviceType),
        credential_backed_up: registrationInfo.credentialBackedUp,
      },
    }
  } catch (error) {
    return { refused: reasonOf(error) }
  }
}

export interface KnownCredential {
  credential_id: string
  public_key: Uint8Array
  sign_count: number
}

export async function verifyAssertion(
  party: RelyingParty,
  challenge: string,
  given: unknown,
  known: KnownCredential,
  userVerification: 'required' | 'discouraged',
): Promise<Outcome<{ signCount: number; backedUp: boolean; userVerified: boolean }>> {
  const response = readResponse(given)
  if (!response || response.id !== known.credential_id) return { refused: 'The answer is no credential.' }
  try {
    refuseFrames(response)
    const { verifyAuthenticationResponse } = await library()
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: response as unknown as AuthenticationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      credential: {
        id: known.credential_id,
        publicKey: Uint8Array.from(known.public_key),
        counter: known.sign_count,
      },
      requireUserVerification: userVerification === 'required',
    })
    if (!verified) return { refused: 'The signature does not fit.' }
    const { newCounter, credentialBackedUp, userVerified } = authenticationInfo
    return { signCount: newCounter, backedUp: credentialBackedUp, userVerified }
  } catch (error) {
    return { refused: reasonOf(error) }
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message.slice(0, 300) : 'unknown')

const deviceType = (type: string) => (type === 'multiDevice' ? ('multi_device' as const) : ('single_device' as const))

/** Our pages stand in no frame, so a ceremony in one was not asked for by them (§7.1 step 10, §7.2 step 13). */
function refuseFrames({ response }: { response: Record<string, unknown> }): void {
  const client = parseJson(Buffer.from(String(response.clientDataJSON), 'base64url')) as { crossOrigin?: unknown }
  if (client.crossOrigin === true) throw new Error('The credential was used in a frame of another site.')
}

/**
 * Which maker built an authenticator is not asked, and its statement about it not believed: it is taken off before
 * anything reads it. A certificate in it may name addresses of revocation lists, and whoever verifies it would call them.
 */
async function withoutAttestation(given: { id: string; response: Record<string, unknown> }) {
  const { isoBase64URL, isoCBOR, decodeAttestationObject } = await encodings()
  const attested = isoBase64URL.toBuffer(String(given.response.attestationObject))
  const plain = new Map<string, unknown>([
    ['fmt', 'none'],
    ['attStmt', new Map()],
    ['authData', decodeAttestationObject(attested).get('authData')],
  ])
  const attestationObject = isoBase64URL.fromBuffer(isoCBOR.encode(plain as never))
  return { ...given, response: { ...given.response, attestationObject } }
}
