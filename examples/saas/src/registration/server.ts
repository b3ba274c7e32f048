/**
 * The registration service: a form's answer becomes a tenant with an organization and an invited administrator. The steps are
 * the saga `register` of the kit, whose part at the issuer is `identity-plane.ts`.
 */
import { createHash } from 'node:crypto'
import type { Lifecycle } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import { createServer, type Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { slugOf } from '../tenants/rules.ts'
import { PLANS, type Plan } from '../tenants/tiers.ts'
import { type Asked, normalized, WINDOW_MILLISECONDS } from './rules.ts'
import * as store from './store.ts'

export interface RegistrationDependencies {
  sql: Sql
  lifecycle: Pick<Lifecycle, 'run'>
  /** Those that can be had here. */
  plans: readonly Plan[]
  limits: { perEmailAndHour: number; perAddressAndHour: number }
  logger: Logger
  now: () => Date
}

const NewRegistration = Type.Object(
  {
    companyName: Type.String({ minLength: 1, maxLength: 80, pattern: '\\S' }),
    email: Type.String({ format: 'email', maxLength: 254 }),
    plan: Type.Enum(PLANS),
  },
  { additionalProperties: false },
)

export function createRegistration(dependencies: RegistrationDependencies): FastifyInstance {
  const { sql, lifecycle, logger, now } = dependencies
  const app = createServer('registration', logger)

  app.post<{ Body: Asked }>('/registrations', { schema: { body: NewRegistration } }, async (request, reply) => {
    const key = idempotencyKey(request.headers['idempotency-key'])
    const { companyName, email, plan } = normalized(request.body)
    const slug = slugOf(companyName)
    const keyHash = createHash('sha256').update(key).digest()
    if (!(await store.isKnown(sql, keyHash))) {
      if (!slug) {
        throw new Refusal(422, 'name_unusable', 'Choose a company name with letters or digits from a to z.')
      }
      if (!dependencies.plans.includes(plan as Plan)) {
        throw new Refusal(422, 'plan_unavailable', 'This plan cannot be had here. Choose another one.')
      }
      const retryAfter = await waitingSeconds(email, request.ip)
      if (retryAfter > 0) {
        reply.header('retry-after', String(retryAfter))
        throw new Refusal(429, 'too_many_registrations', 'Too many registrations. Wait a while and try again.')
      }
      await store.insert(sql, { keyHash, email, address: request.ip, createdAt: now() })
    }
    const saga = await lifecycle.run({ saga: 'register', key, input: { tier: plan, facts: { companyName, email } } })
    if (saga.state === 'failed' && saga.failure) {
      throw new Refusal(saga.failure.status, saga.failure.code, saga.failure.message)
    }
    if (saga.state !== 'done') {
      reply.header('retry-after', '5')
      throw new Refusal(503, 'not_finished', 'The registration is not finished yet. It goes on by itself; ask again.')
    }
    // The same for a new address and one with an account: the answer must not tell who is known.
    return reply.code(201).send({
      registrationId: saga.id,
      tenant: { name: companyName, slug },
      next: 'check_mail',
      signInPath: `/t/${slug}`,
    })
  })

  async function waitingSeconds(email: string, address: string): Promise<number> {
    const since = new Date(now().getTime() - WINDOW_MILLISECONDS)
    const { perEmailAndHour, perAddressAndHour } = dependencies.limits
    const byEmail = await store.count(sql, { email }, since)
    const byAddress = await store.count(sql, { address }, since)
    const wait = (oldest: Date | null) => Math.max(1, Math.ceil(((oldest?.getTime() ?? 0) - since.getTime()) / 1000))
    if (byEmail.count >= perEmailAndHour) return wait(byEmail.oldest)
    if (byAddress.count >= perAddressAndHour) return wait(byAddress.oldest)
    return 0
  }
  return app
}

function idempotencyKey(header: string | string[] | undefined): string {
  if (typeof header !== 'string' || !/^[\x21-\x7e]{16,128}$/.test(header)) {
    throw new Refusal(
      400,
      'idempotency_key_required',
      'The header Idempotency-Key is required: 16 to 128 visible characters, a new one for each registration.',
    )
  }
  return header
}
