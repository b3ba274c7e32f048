/** Requests of the shared subset, each made alike to both servers. */
import { createHash, randomBytes } from 'node:crypto'
import { openBrowser, REDIRECT } from '@tenantry/identity/oauth/fixture.ts'
import type { Answer } from '@tenantry/identity/testing.ts'
import { type Clients, noticed, type Side } from './side.ts'

export interface Party {
  side: Side
  clients: Clients
  /** Signs in whom a page asks for, and leads on to the client. */
  signIn(browser: ReturnType<typeof openBrowser>, page: Answer): Promise<Answer>
}
type Case = (party: Party) => Promise<string>

const verifier = randomBytes(32).toString('base64url')
const challenge = createHash('sha256').update(verifier).digest('base64url')
const basic = ({ id, secret }: { id: string; secret: string }) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
})

const query = ({ side, clients }: Party, changes: Record<string, string | undefined>): string => {
  const all = {
    client_id: clients.spa,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid',
    state: 'the-state',
    nonce: 'the-nonce',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...side.extra,
    ...changes,
  }
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return `${side.paths.authorize}?${new URLSearchParams(given)}`
}

/** An authorization request that is answered at once, one way or the other. */
const asking =
  (changes: Record<string, string | undefined>, raw = ''): Case =>
  async (party) =>
    noticed(await openBrowser(party.side).visit(query(party, changes) + raw), REDIRECT)

async function code(party: Party, changes: Record<string, string | undefined> = {}): Promise<string> {
  const browser = openBrowser(party.side)
  const page = await browser.follow(await browser.visit(query(party, changes)))
  const answer = await party.signIn(browser, page)
  const told = new URL(answer.headers.location ?? 'page:').searchParams.get('code')
  if (!told) throw new Error(`${party.side.name} gave no code: ${answer.status} ${answer.headers.location}`)
  return told
}

const token = (party: Party, form: Record<string, string>, headers: Record<string, string> = {}) =>
  party.side.request(party.side.paths.token, { form, headers })

const exchanging =
  (changes: Record<string, string>, { times = 1, request = {} }: { times?: number; request?: object } = {}): Case =>
  async (party) => {
    const form = {
      grant_type: 'authorization_code',
      client_id: party.clients.spa,
      code: await code(party, request as Record<string, string>),
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      ...changes,
    }
    let answer = await token(party, form)
    for (let n = 1; n < times; n++) answer = await token(party, form)
    return noticed(answer)
  }

const tokens = async (party: Party, scope: string) => {
  const form = {
    grant_type: 'authorization_code',
    client_id: party.clients.spa,
    code: await code(party, { scope, ...(scope.includes('offline_access') ? party.side.offline : {}) }),
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  }
  const answer = await token(party, form)
  if (answer.status !== 200) throw new Error(`${party.side.name}: ${answer.status} ${answer.text}`)
  return answer.json as { access_token: string; refresh_token: string; id_token: string }
}

const refreshing =
  (changes: Record<string, string>, times = 1): Case =>
  async (party) => {
    const { refresh_token } = await tokens(party, 'openid email offline_access')
    const form = { grant_type: 'refresh_token', client_id: party.clients.spa, refresh_token, ...changes }
    let answer = await token(party, form)
    for (let n = 1; n < times; n++) answer = await token(party, form)
    return noticed(answer)
  }

const posting =
  (
    form: (party: Party) => Record<string, string>,
    headers: (party: Party) => Record<string, string> = () => ({}),
  ): Case =>
  async (party) =>
    noticed(await token(party, form(party), headers(party)))

const machine = { grant_type: 'client_credentials', scope: 'read:item' }

export const CASES: Record<string, Case> = {
  // RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6
  'authorize: client_id is missing': asking({ client_id: undefined }),
  'authorize: client_id is unknown': asking({ client_id: 'nobody' }),
  'authorize: redirect_uri is missing': asking({ redirect_uri: undefined }),
  'authorize: redirect_uri is another': asking({ redirect_uri: `${REDIRECT}/more` }),
  'authorize: redirect_uri has a query more': asking({ redirect_uri: `${REDIRECT}?x=1` }),
  'authorize: response_type is missing': asking({ response_type: undefined }),
  'authorize: response_type is unknown': asking({ response_type: 'magic' }),
  'authorize: response_type the client may not have': asking({ response_type: 'id_token' }),
  'authorize: response_mode is unknown': asking({ response_mode: 'pigeon' }),
  'authorize: a request object': asking({ request: 'a.b.c' }),
  'authorize: prompt=none without a session': asking({ prompt: 'none' }),
  'authorize: prompt=none beside login': asking({ prompt: 'none login' }),
  'authorize: prompt is unknown': asking({ prompt: 'dance' }),
  'authorize: max_age is no number': asking({ max_age: 'old' }),
  'authorize: max_age is negative': asking({ max_age: '-1' }),
  'authorize: state twice': asking({}, '&state=another'),
  'authorize: a valid request': asking({}),
  'authorize: without openid': asking({ scope: 'read:item' }),
  'authorize: max_age=0 and prompt=none': asking({ prompt: 'none', max_age: '0' }),
  'authorize: an id_token_hint that is no token': asking({ prompt: 'none', id_token_hint: 'x' }),
  // RFC 7636
  'PKCE: a public client without a challenge': asking({ code_challenge: undefined, code_challenge_method: undefined }),
  'PKCE: plain': asking({ code_challenge_method: 'plain' }),
  'PKCE: a method without a challenge': asking({ code_challenge: undefined }),
  'PKCE: a challenge that is too short': asking({ code_challenge: 'abc' }),
  'PKCE: no verifier': exchanging({ code_verifier: '' }),
  'PKCE: a wrong verifier': exchanging({ code_verifier: 'x'.repeat(43) }),
  'PKCE: a verifier that is too short': exchanging({ code_verifier: 'x' }),
  // RFC 6749 §4.1.3, §5.2
  'code: exchanged': exchanging({}),
  'code: exchanged twice': exchanging({}, { times: 2 }),
  'code: unknown': exchanging({ code: 'nothing' }),
  'code: empty': exchanging({ code: '' }),
  'code: another redirect_uri': exchanging({ redirect_uri: `${REDIRECT}/more` }),
  'code: no redirect_uri': exchanging({ redirect_uri: '' }),
  'code: presented by an unknown client': exchanging({ client_id: 'nobody' }),
  'code: presented by another client': async (party) =>
    noticed(
      await token(
        party,
        { grant_type: 'authorization_code', code: await code(party), redirect_uri: REDIRECT, code_verifier: verifier },
        basic(party.clients.web),
      ),
    ),
  'token: grant_type is missing': posting(({ clients }) => ({ client_id: clients.spa })),
  'token: grant_type is unknown': posting(({ clients }) => ({ client_id: clients.spa, grant_type: 'wish' })),
  'token: a grant the client may not use': posting(({ clients }) => ({ client_id: clients.spa, ...machine })),
  'token: no client': posting(() => machine),
  'token: asked with GET': async ({ side }) => noticed(await side.request(side.paths.token)),
  'token: the same parameter twice': async ({ side, clients }) =>
    noticed(
      await side.request(side.paths.token, {
        method: 'POST',
        body: `grant_type=client_credentials&scope=a&scope=b`,
        headers: { ...basic(clients.machine), 'content-type': 'application/x-www-form-urlencoded' },
      }),
    ),
  // RFC 6749 §2.3, §4.4
  'client: credentials by Basic': posting(
    ({ side }) => ({ ...machine, ...side.extra }),
    ({ clients }) => basic(clients.machine),
  ),
  'client: a wrong secret by Basic': posting(
    () => machine,
    ({ clients }) => basic({ ...clients.machine, secret: 'x' }),
  ),
  'client: unknown by Basic': posting(
    () => machine,
    () => basic({ id: 'nobody', secret: 'x' }),
  ),
  'client: a header that is no Basic': posting(
    () => machine,
    () => ({ authorization: 'Basic !!!' }),
  ),
  'client: an empty secret in the body': posting(({ clients }) => ({
    ...machine,
    client_id: clients.machine.id,
    client_secret: '',
  })),
  'client: two ways at once': posting(
    ({ clients }) => ({ ...machine, client_id: clients.machine.id, client_secret: clients.machine.secret }),
    ({ clients }) => basic(clients.machine),
  ),
  'client: a scope it was not given': posting(
    ({ side }) => ({ ...machine, ...side.extra, scope: 'launch:rocket' }),
    ({ clients }) => basic(clients.machine),
  ),
  // RFC 6749 §6, RFC 9700 §4.14
  'refresh: once': refreshing({}),
  'refresh: a rotated token again': refreshing({}, 2),
  'refresh: unknown': refreshing({ refresh_token: 'nothing' }),
  'refresh: a narrower scope': refreshing({ scope: 'openid' }),
  'refresh: a wider scope': refreshing({ scope: 'openid email profile' }),
  'refresh: by another client': async (party) => {
    const { refresh_token } = await tokens(party, 'openid email offline_access')
    return noticed(await token(party, { grant_type: 'refresh_token', refresh_token }, basic(party.clients.web)))
  },
  // OpenID Connect Core §5.3, RFC 6750
  'userinfo: with a token': async (party) => {
    const { access_token } = await tokens(party, 'openid email')
    return noticed(
      await party.side.request(party.side.paths.userinfo, { headers: { authorization: `Bearer ${access_token}` } }),
    )
  },
  'userinfo: without a token': async ({ side }) => noticed(await side.request(side.paths.userinfo)),
  'userinfo: with a token that is none': async ({ side }) =>
    noticed(await side.request(side.paths.userinfo, { headers: { authorization: 'Bearer nonsense' } })),
  // RFC 7009
  'revocation: of an unknown token': async ({ side, clients }) =>
    noticed(await side.request(side.paths.revoke, { form: { token: 'nothing', client_id: clients.spa } })),
  'revocation: without a token': async ({ side, clients }) =>
    noticed(await side.request(side.paths.revoke, { form: { client_id: clients.spa } })),
  'revocation: by nobody': async ({ side }) =>
    noticed(await side.request(side.paths.revoke, { form: { token: 'nothing' } })),
  'revocation: of a refresh token, which then is worth nothing': async (party) => {
    const { refresh_token } = await tokens(party, 'openid email offline_access')
    await party.side.request(party.side.paths.revoke, { form: { token: refresh_token, client_id: party.clients.spa } })
    return noticed(await token(party, { grant_type: 'refresh_token', client_id: party.clients.spa, refresh_token }))
  },
  // RFC 7517
  'keys: what is published of one': async ({ side }) => {
    const { keys } = (await side.request(side.paths.jwks)).json
    return Object.keys(keys[0]).sort().join(', ')
  },
}
