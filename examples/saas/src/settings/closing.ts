/**
 * The end of a tenant, at the wish of an administrator. A stolen token or an unlocked screen must not be enough for it: whoever
 * asks has typed the company's name and signed in again a moment ago, and shows the ID token of that sign-in.
 */
import { currentIdentity, type Verifier } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import type { Life } from '../life/life.ts'
import { Refusal } from '../refusal.ts'
import { ownTenant } from '../users/caller.ts'
import type { Allow } from '../users/server.ts'
import { begin } from './plan.ts'

export interface ClosingDependencies {
  sql: Sql
  allow: Allow
  life: Life
  /** Of the web app's ID tokens. */
  idTokens: Pick<Verifier, 'verify'>
  now: () => Date
}

const FRESH_SECONDS = 300

const Closure = Type.Object(
  { name: Type.String({ maxLength: 80 }), idToken: Type.String({ maxLength: 16_384 }) },
  { additionalProperties: false },
)
const Accepted = Type.Object({ name: Type.String() }, { additionalProperties: false })

export function closingRoute(app: FastifyInstance, { sql, allow, life, idTokens, now }: ClosingDependencies): void {
  app.post<{ Body: { name: string; idToken: string } }>(
    '/tenant/closure',
    { ...allow('delete:tenant'), schema: { body: Closure, response: { 202: Accepted } } },
    async (request, reply) => {
      const { id: tenantId, name } = await ownTenant(sql)
      if (!(await isFresh(request.body.idToken))) {
        // RFC 9470 §3.
        const challenge = `Bearer error="insufficient_user_authentication", max_age="${FRESH_SECONDS}"`
        reply.header('www-authenticate', challenge)
        throw new Refusal(
          401,
          'login_not_fresh',
          'Sign in again to close the account, and confirm within five minutes.',
        )
      }
      if (request.body.name.trim() !== name) {
        throw new Refusal(422, 'name_differs', `Type the company’s name as it is written: ${name}.`)
      }
      // From here on nobody reads or writes for it, and there is no way back.
      await begin(life, 'offboard', tenantId, {})
      return reply.code(202).send({ name })
    },
  )

  /** Of this caller, in this organization, by an ID token that says when its sign-in was. */
  async function isFresh(idToken: string): Promise<boolean> {
    const caller = currentIdentity()
    const token = await idTokens.verify(idToken).catch(() => undefined)
    if (token?.subject !== caller.subject || token.claims.org_id !== caller.organizationId) return false
    const { auth_time: signedIn } = token.claims
    return typeof signedIn === 'number' && signedIn + FRESH_SECONDS >= now().getTime() / 1000
  }
}
