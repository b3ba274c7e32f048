/** The registration service: a form's answer becomes a tenant with an organization and an invited administrator. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { createServer } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { newTenantId, slugOf } from '../tenants/rules.ts'
import { PLANS, type Plan } from '../tenants/tiers.ts'
import { type Asked, hashOf, normalized, retryDelaySeconds } from './rules.ts'
import { advance, resumeUnfinished, type SagaDependencies } from './saga.ts'
import * as store from './store.ts'

export interface RegistrationDependencies extends SagaDependencies {
  /** Those that can be had here. */
  plans: readonly Plan[]
  limits: { perEmailAndHour: number; perAddressAndHour: number }
}

const NewRegistration = Type.Object(
  {
    companyName: Type.String({ minLength: 1, maxLength: 80, pattern: '\\S' }),
    email: Type.String({ format: 'email', maxLength: 254 }),
    plan: Type.Enum(PLANS),
  },
  { additionalProperties: false },
)

/** How long a repetition waits for the first request that is still at work. */
const PATIENCE_MILLISECONDS = 15_000

export function createRegistration(dependencies: RegistrationDependencies): FastifyInstance {
  const { sql, logger, now } = dependencies
  const app = createServer('registration', logger)

  app.post<{ Body: Asked }>('/registrations', { schema: { body: NewRegistration } }, async (request, reply) => {
    const key = idempotencyKey(request.headers['idempotency-key'])
    const asked = normalized(request.body)
    const keyHash = hashOf(key)
    const requestHash = hashOf(asked.companyName, asked.email, asked.plan)

    let registration = await store.findByKey(sql, keyHash)
    if (!registration) {
      if (!slugOf(asked.companyName)) {
        throw new Refusal(422, 'name_unusable', 'Choose a company name with letters or digits from a to z.')
      }
      if (!dependencies.plans.includes(asked.plan as Plan)) {
        throw new Refusal(422, 'plan_unavailable', 'This plan cannot be had here. Choose another one.')
      }
      const retryAfter = await waitingSeconds(asked.email, request.ip)
      if (retryAfter > 0) {
        reply.header('retry-after', String(retryAfter))
        throw new Refusal(429, 'too_many_registrations', 'Too many registrations. Wait a while and try again.')
      }
      const created = { id: randomUUID(), keyHash, requestHash, ...asked, address: request.ip, tenantId: newTenantId() }
      await store.insert(sql, { ...created, createdAt: now() })
      registration = await store.findByKey(sql, keyHash)
    }
    if (!registration) throw new Error('A registration vanished.')
    if (!registration.requestHash.equals(requestHash)) {
      throw new Refusal(422, 'key_reused', 'This idempotency key was used for another registration. Use a new one.')
    }

    const outcome = await finished(registration)
    if (outcome.step === 'refused' && outcome.refusal) {
      throw new Refusal(outcome.refusal.status, outcome.refusal.code, outcome.refusal.message)
    }
    if (outcome.step !== 'done') {
      reply.header('retry-after', String(retryDelaySeconds(outcome.attempts)))
      throw new Refusal(503, 'not_finished', 'The registration is not finished yet. It goes on by itself; ask again.')
    }
    // The same for a new address and one with an account: the answer must not tell who is known.
    const slug = slugOf(outcome.companyName)
    return reply.code(201).send({
      registrationId: outcome.id,
      tenant: { name: outcome.companyName, slug },
      next: 'check_mail',
      signInPath: `/t/${slug}`,
    })
  })

  /** Works on it, or waits for the one who does. */
  async function finished(registration: store.Registration): Promise<store.Registration> {
    const deadline = performance.now() + PATIENCE_MILLISECONDS
    for (;;) {
      const current = await store.get(sql, registration.id)
      if (!current) throw new Error('A registration vanished.')
      if (current.step === 'done' || current.step === 'refused') return current
      const advanced = await advance(dependencies, registration.id)
      if (advanced) return advanced
      if (performance.now() > deadline) return current
      await delay(100)
    }
  }

  async function waitingSeconds(email: string, address: string): Promise<number> {
    const hour = 3_600_000
    const since = new Date(now().getTime() - hour)
    const { perEmailAndHour, perAddressAndHour } = dependencies.limits
    const byEmail = await store.count(sql, { email }, since)
    const byAddress = await store.count(sql, { address }, since)
    const wait = (oldest: Date | null) => Math.max(1, Math.ceil(((oldest?.getTime() ?? 0) - since.getTime()) / 1000))
    if (byEmail.count >= perEmailAndHour) return wait(byEmail.oldest)
    if (byAddress.count >= perAddressAndHour) return wait(byAddress.oldest)
    return 0
  }

  const resume = () =>
    resumeUnfinished(dependencies).catch((error: unknown) => logger.error({ error }, 'resuming registrations failed'))
  let timer: NodeJS.Timeout | undefined
  app.addHook('onListen', async () => {
    void resume()
    timer = setInterval(resume, 15_000)
    timer.unref()
  })
  app.addHook('onClose', async () => clearInterval(timer))
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
