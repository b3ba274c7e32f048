/**
 * What a list costs must not grow with what is stored. Every list of the Management API is asked for its pages in an
 * environment of 20,000 users, and each query it makes is explained as the application's role runs it, policies included:
 * an index that would serve the owner may serve nobody else, because only leakproof conditions reach it there.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { loadScale, SCALE } from './scale/fixture.ts'

let identity: TestIdentity
let env: TestEnvironment
let told: { text: string; parameters: unknown[] }[] = []
before(async () => {
  identity = await startIdentity({ onStatement: (text, parameters) => told.push({ text, parameters }) })
  env = await identity.environment()
  await identity.database.acrossEnvironments('test: many rows', (sql) => loadScale(sql, env.id))
  // A neighbour as large: what it holds must cost nothing here.
  const neighbour = await identity.environment()
  await identity.database.acrossEnvironments('test: many rows', (sql) => loadScale(sql, neighbour.id))
})
after(() => identity.close())

/** A page of 50, its neighbours and what is joined to each row, with room. */
const MOST_ROWS = 1500

interface Node {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  'Rows Removed by Join Filter'?: number
  Plans?: Node[]
}

const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

const literal = (value: unknown): string =>
  value === null || value === undefined ? 'null' : `'${String(value).replaceAll("'", "''")}'`

async function explain({ text, parameters }: { text: string; parameters: unknown[] }): Promise<Node> {
  return identity.database.inEnvironment(env.id, async (tx) => {
    await tx.unsafe(`prepare looked_at as ${text}`)
    const values = parameters.length > 0 ? `(${parameters.map(literal).join(', ')})` : ''
    const [row] = await tx.unsafe(
      `explain (analyze, costs off, timing off, summary off, format json) execute looked_at${values}`,
    )
    await tx.unsafe('deallocate looked_at')
    return row!['QUERY PLAN'][0].Plan as Node
  })
}

const isPageQuery = (text: string) =>
  /^\s*(select|with)\b/i.test(text) && !/set_config|count\(\*\)|from signing_keys|from environments where/.test(text)

/** @returns what the queries of one request read, where it is more than a page needs */
async function excesses(path: string): Promise<string[]> {
  told = []
  const answer: Answer = await env.manage('GET', path)
  // Tickets of the loaded invitations open with no key: their page is asked for, and cannot be shown.
  if (!path.includes('/invitations')) assert.equal(answer.status, 200, `${path}: ${answer.text}`)
  const queries = told.filter(({ text }) => isPageQuery(text))
  assert.ok(queries.length > 0, `${path} asks nothing`)
  const found: string[] = []
  for (const query of queries) {
    for (const node of nodesOf(await explain(query))) {
      const removed =
        (node['Rows Removed by Filter'] ?? 0) +
        (node['Rows Removed by Index Recheck'] ?? 0) +
        (node['Rows Removed by Join Filter'] ?? 0)
      const rows = (node['Actual Rows'] + removed) * node['Actual Loops']
      if (rows > MOST_ROWS) {
        found.push(
          `${path}: ${node['Node Type']} ${node['Relation Name'] ?? ''} reads ${rows} rows: ${query.text.trim()}`,
        )
      }
    }
  }
  return found
}

const ids: Record<string, string> = {
  organizations: SCALE.organization,
  users: encodeURIComponent(SCALE.user),
  roles: SCALE.role,
  connections: SCALE.connection,
  clients: SCALE.client,
  'client-grants': SCALE.clientGrant,
}

test('no list reads more rows than its page needs, whatever is stored', async () => {
  const problems: string[] = []
  let looked = 0
  for (const { method, url, schema } of identity.routes) {
    if (method !== 'GET' || !url.startsWith('/api/v2/')) continue
    const query = (schema as { querystring?: { properties?: Record<string, { enum?: string[] }> } } | undefined)
      ?.querystring?.properties
    if (!query?.per_page && !query?.take) continue
    // Of kinds that are not here nothing is stored.
    if ((schema as { tags?: string[] } | undefined)?.tags?.includes('none')) continue
    const [, , , noun] = url.split('/')
    // Of what is inside one Action, or a second thing, there are never many.
    if (url.includes(':') && (!ids[noun!] || url.split(':').length > 2) && !url.includes('/members/')) continue
    const path = url.replace('/api/v2', '').replace(/:\w+/, ids[noun!]!).replace(/:\w+/, ids.users!)
    const needed = query.user_id && url === '/api/v2/refresh-tokens' ? `user_id=${encodeURIComponent(SCALE.user)}&` : ''
    const asks = [
      ...(query.per_page ? ['per_page=50', 'per_page=50&page=3'] : []),
      ...(query.take ? ['take=50'] : []),
      ...(query.sort?.enum ?? []).map((sort) => `${query.per_page ? 'per_page' : 'take'}=50&sort=${sort}`),
    ]
    for (const ask of asks) {
      looked++
      problems.push(...(await excesses(`${path}?${needed}${ask}`)))
    }
  }
  assert.deepEqual(problems, [])
  assert.ok(looked > 40, `only ${looked} lists were looked at`)
})

test('finding people by address, and what people search for, reads few rows', async () => {
  const problems: string[] = []
  for (const path of [
    '/users-by-email?email=person777@example.test',
    ...[
      'email:"person777@example.test"',
      'name:"Person 777"',
      'email:person777*',
      'app_metadata.rare:yes',
      'user_id:"auth0|nobody"',
    ].map((q) => `/users?q=${encodeURIComponent(q)}`),
  ]) {
    problems.push(...(await excesses(path)))
  }
  assert.deepEqual(problems, [])
})
