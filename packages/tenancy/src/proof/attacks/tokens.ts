/** No token, a meaningless one, forged ones, an expired one: at what A may read and write. */

import type { Route } from '../api-description.ts'
import { foreignTexts } from '../attempt.ts'
import { type Answer, type Credential, succeeded } from '../exchange.ts'
import type { Kind } from '../kinds.ts'
import { difference, look, lookTwice } from '../look.ts'
import { make } from '../make.ts'
import { slotOf } from '../slots.ts'
import { claimsOf, tenantClaims } from '../tenant.ts'
import { send, type World } from '../world.ts'
import { type Attack, ownRequest } from './attack.ts'

const nobody: Credential = { name: 'nobody', variable: '' }
const meaningless: Credential = {
  name: 'nobody, with the token “meaningless”',
  variable: 'MEANINGLESS',
  authorization: 'Bearer meaningless',
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Tokens that were never signed. Whoever only decodes them is led to B by the claims, whoever trusts any to A. */
function forged({ a, b }: World): { credential: Credential; opens: 'a' | 'b' }[] {
  const claims = claimsOf(a.token)
  if (!claims) return []
  const [head, payload, signature = ''] = a.token.split('.')
  const [ofA, ofB] = [tenantClaims(a.token), tenantClaims(b.token)]
  let text = JSON.stringify(claims)
  for (const [index, own] of ofA.entries())
    if (ofB[index] !== undefined) text = text.replaceAll(JSON.stringify(own), JSON.stringify(ofB[index]))
  const asB = Buffer.from(text).toString('base64url')
  const credential = (what: string, token: string): Credential => ({
    name: `nobody, with ${what}`,
    variable: 'FORGED',
    authorization: `Bearer ${token}`,
  })
  return [
    { credential: credential('A’s token without its signature', `${head}.${payload}.`), opens: 'a' },
    {
      credential: credential(
        'A’s token under the algorithm none',
        `${encoded({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      ),
      opens: 'a',
    },
    {
      credential: credential(
        'A’s token under another signature',
        `${head}.${payload}.${[...signature].reverse().join('')}`,
      ),
      opens: 'a',
    },
    {
      credential: credential(
        'A’s token in which the tenant’s claims were replaced by B’s',
        `${head}.${asB}.${signature}`,
      ),
      opens: 'b',
    },
    {
      credential: credential('claims of B under the algorithm none', `${encoded({ alg: 'none', typ: 'JWT' })}.${asB}.`),
      opens: 'b',
    },
  ]
}

const withToken = (
  kind: Kind,
  tries: (world: World) => { credential: Credential; opens: 'a' | 'b' }[],
  plainer: readonly Kind[],
  missing: string,
): Attack => ({
  kinds: [kind],
  applies: (world) => kind !== 'expired-token' || world.expired !== undefined,
  async run(world, route) {
    const { ledger } = world
    if (ledger.leaks(route, ...plainer))
      return ledger.untested(route, kind, 'hidden by a plainer leak of the same route')
    const all = tries(world)
    if (all.length === 0) return ledger.untested(route, kind, missing)
    for (const one of all) if (await opened(world, route, kind, one)) return
  },
})

async function opened(
  world: World,
  route: Route,
  kind: Kind,
  { credential, opens }: { credential: Credential; opens: 'a' | 'b' },
): Promise<boolean> {
  const { ledger } = world
  const did = `sent ${opens === 'a' ? 'A' : 'B'}’s request as ${credential.name}`
  const leak = (answer: Answer, shows: string, around?: string) => {
    ledger.leak(route, kind, { did, shows, answer, ...(around === undefined ? {} : { around }) })
    return true
  }
  if (route.method === 'GET') {
    const worked = world.works[opens].get(route.key)
    if (!worked) return false
    const answer = await send(world, route, worked.parts, credential)
    const [shown] = foreignTexts(world, answer, opens)
    if (shown !== undefined) return leak(answer, `the answer holds “${shown}” of tenant ${opens.toUpperCase()}`, shown)
    // Without anything telling in its answers, the same answer as with the token is what tells.
    if (succeeded(answer) && foreignTexts(world, worked.answer, opens).length > 0) return false
    if (succeeded(answer) && answer.text !== '' && answer.text === worked.answer.text)
      return leak(answer, `it answers ${answer.status} as it does with the token`)
    ledger.held(route, kind)
    return false
  }
  if (opens === 'b') return false
  return written(world, route, kind, credential, leak)
}

async function written(
  world: World,
  route: Route,
  kind: Kind,
  credential: Credential,
  leak: (answer: Answer, shows: string) => boolean,
): Promise<boolean> {
  const slot = world.slots.get(slotOf(route) ?? '')
  const target = slot && (await make(world, world.a, slot))
  const { texts: _, ...own } = ownRequest(world, route)
  const before = target ? await lookTwice(world, world.a, target) : 'unseen'
  const answer = await send(world, route, target ? { ...own, values: target.values } : own, credential)
  const change = target && difference(before, await look(world, world.a, target))
  if (change !== undefined) return leak(answer, `read again as tenant A: ${change}`)
  if (succeeded(answer)) return leak(answer, `it is answered ${answer.status}`)
  world.ledger.held(route, kind)
  return false
}

export const noToken = withToken('no-token', () => [{ credential: nobody, opens: 'a' }], [], '')
export const badToken = withToken('bad-token', () => [{ credential: meaningless, opens: 'a' }], ['no-token'], '')
export const forgedToken = withToken(
  'forged-token',
  forged,
  ['no-token', 'bad-token'],
  'the tokens are no JWTs, so that none could be forged',
)
export const expiredToken = withToken(
  'expired-token',
  ({ expired }) => (expired ? [{ credential: expired, opens: 'a' }] : []),
  ['no-token', 'bad-token'],
  '',
)
