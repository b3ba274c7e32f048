/**
 * Queues that carry the work of many tenants. A message says whose work it is in an envelope sealed by HMAC, so that who can
 * write to the queue but does not know the secret can neither make work for a tenant nor turn one tenant's message into
 * another's. The consumer runs as the envelope's tenant, whatever the body says.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { currentIdentity, withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'

export interface EnvelopeOptions {
  /** The queue's name: a message of one queue is refused in another. */
  queue: string
  /** At least 32 bytes each. The first seals; all open, so that a secret can be changed. */
  secrets: readonly [Uint8Array | string, ...(Uint8Array | string)[]]
  /** Messages that were sealed longer ago are refused. Any age if left out: a queue may hold messages for days. */
  maxAgeSeconds?: number
  /** Milliseconds since 1970. */
  now?: () => number
}

export interface Message<Body = unknown> {
  /** The same at every delivery. */
  id: string
  tenantId: string
  tier: string | undefined
  sealedAt: Date
  body: Body
}

export type Outcome = 'done' | 'parked'

export interface Envelopes {
  /**
   * A message for the queue, from the tenant for which this runs. The body is readable to who reads the queue.
   * @param body anything that JSON can carry
   * @throws IdentityMissing where nobody's identity is known
   */
  seal(body: unknown): string
  /** Who sent it and what. @throws EnvelopeRefused when it was not sealed here, for this queue */
  open(message: string): Message
  /**
   * Runs `work` as the message's tenant. A message that is refused goes to `park`, so that it is looked at and not lost, and
   * `work` does not run; remove it from the queue when this has resolved, with either outcome.
   * @throws whatever `work` or `park` throws: let the queue deliver the message again
   */
  consume(
    message: string,
    work: (message: Message) => Promise<void>,
    options: { park: (message: string, reason: EnvelopeRefused) => Promise<void> },
  ): Promise<Outcome>
}

/** A message that nobody here has sealed for this queue, or too long ago. */
export class EnvelopeRefused extends Error {
  readonly code: 'envelope_malformed' | 'envelope_forged' | 'envelope_too_old'
  constructor(code: EnvelopeRefused['code'], message: string) {
    super(message)
    this.name = 'EnvelopeRefused'
    this.code = code
  }
}

const VERSION = 'tenantry.1'

/**
 * @throws Error for secrets that are too short
 * @example
 * const envelopes = createEnvelopes({ queue: 'orders', secrets: [secret] })
 * const message = withIdentity(identity, () => envelopes.seal({ item: '1' }))
 * const ship = ({ body }: Message) => database.inTenant((tx) => shipItem(tx, body))
 * await envelopes.consume(message, ship, { park: deadLetters.send }) // → 'done'
 * await envelopes.consume('forged', ship, { park: deadLetters.send }) // → 'parked'
 */
export function createEnvelopes(options: EnvelopeOptions): Envelopes {
  const { queue, maxAgeSeconds, now = Date.now } = options
  const secrets = options.secrets.map((secret) => Buffer.from(secret as string))
  if (secrets.length === 0 || secrets.some(({ length }) => length < 32)) {
    throw new Error(`The envelopes of the queue ${queue} need secrets of at least 32 bytes.`)
  }
  // The queue's name has no room for the separator of what follows it.
  const seal = (secret: Buffer, payload: string) =>
    createHmac('sha256', secret)
      .update(`${VERSION}\n${encodeURIComponent(queue)}\n${payload}`)
      .digest()

  const open = (message: string): Message => {
    const [version, payload, mac, ...rest] = typeof message === 'string' ? message.split('~') : []
    if (version !== VERSION || payload === undefined || mac === undefined || rest.length > 0) {
      throw new EnvelopeRefused('envelope_malformed', 'The message is not in a sealed envelope.')
    }
    const given = Buffer.from(mac, 'base64url')
    const isSealed = secrets.some((secret) => {
      const own = seal(secret, payload)
      return own.length === given.length && timingSafeEqual(own, given)
    })
    if (!isSealed) throw new EnvelopeRefused('envelope_forged', 'The envelope was not sealed for this queue.')
    const { id, tenantId, tier, at, body } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Sealed
    if (maxAgeSeconds !== undefined && now() - at > maxAgeSeconds * 1000) {
      throw new EnvelopeRefused('envelope_too_old', 'The envelope was sealed too long ago.')
    }
    return { id, tenantId, tier, sealedAt: new Date(at), body }
  }
  return {
    seal(body) {
      const { tenantId, tier } = currentIdentity()
      const sealed: Sealed = { id: randomUUID(), tenantId, ...(tier === undefined ? {} : { tier }), at: now(), body }
      const payload = Buffer.from(JSON.stringify(sealed)).toString('base64url')
      return [VERSION, payload, seal(secrets[0]!, payload).toString('base64url')].join('~')
    },
    open,
    async consume(message, work, { park }) {
      let opened: Message
      try {
        opened = open(message)
      } catch (error) {
        if (!(error instanceof EnvelopeRefused)) throw error
        await park(message, error)
        return 'parked'
      }
      const { tenantId, tier } = opened
      const identity = backgroundIdentity({
        tenantId,
        reason: `queue ${queue}`,
        ...(tier === undefined ? {} : { tier }),
      })
      await withIdentity(identity, () => work(opened))
      return 'done'
    },
  }
}

interface Sealed {
  id: string
  tenantId: string
  tier?: string
  at: number
  body: unknown
}

/**
 * The name of the tenant's own queue, for the tenants that have one: `orders_-<tenant>`, of the characters that Amazon SQS
 * takes. Different queues and tenants never get the same name.
 *
 * @throws Error beyond SQS's 80 characters
 * @example
 * withIdentity(identity, () => queueName('orders')) // → 'orders_-BlueKite4Jq8Zt1Ns6Yb0Xw3'
 */
export function queueName(queue: string): string {
  const name = `${queuePart(queue)}_-${queuePart(currentIdentity().tenantId)}`
  if (name.length > 80) throw new Error(`The queue's name ${name} is longer than 80 characters.`)
  return name
}

// `_` begins two digits or, once, the tenant.
const queuePart = (text: string) =>
  [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
