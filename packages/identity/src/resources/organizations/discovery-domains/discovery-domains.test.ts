import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const organization = async (env: TestEnvironment, name: string) => {
  const { id } = (await env.manage('POST', '/organizations', { name })).json
  return `/organizations/${id}/discovery-domains`
}

test('a domain is pending with a text of its own, found by id and name, and given up', async () => {
  const env = await identity.environment()
  const at = await organization(env, 'acme')
  const made = await env.manage('POST', at, { domain: 'Acme.Example', use_for_organization_discovery: false })
  assert.equal(made.status, 201, made.text)
  const { id, verification_txt } = made.json
  assert.match(id, /^dd_[A-Za-z0-9]{16}$/)
  assert.deepEqual(made.json, {
    id,
    domain: 'acme.example',
    status: 'pending',
    use_for_organization_discovery: false,
    verification_txt,
    verification_host: '_tenantry-challenge.acme.example',
  })
  assert.deepEqual((await env.manage('GET', `${at}/${id}`)).json, made.json)
  assert.deepEqual((await env.manage('GET', `${at}/name/ACME.example`)).json, made.json)
  const verified = await env.manage('PATCH', `${at}/${id}`, { status: 'verified' })
  assert.deepEqual(verified.json, { ...made.json, status: 'verified' })
  assert.deepEqual((await env.manage('GET', at)).json, { domains: [verified.json] })
  assert.equal((await env.manage('DELETE', `${at}/${id}`)).status, 204)
  assert.equal((await env.manage('DELETE', `${at}/${id}`)).status, 404)
  const again = await env.manage('POST', at, { domain: 'acme.example' })
  assert.equal(again.json.use_for_organization_discovery, true)
  const silent = await env.manage('PATCH', `${at}/${again.json.id}`, { use_for_organization_discovery: false })
  assert.deepEqual(silent.json, { ...again.json, use_for_organization_discovery: false })
  assert.notEqual(again.json.verification_txt, verification_txt)
  assert.equal(again.json.status, 'pending')
})

test('N120 N121 many organizations claim a domain, one has it verified, whoever comes first', async () => {
  const env = await identity.environment()
  const places = await Promise.all(['one', 'two', 'three'].map((name) => organization(env, name)))
  const claims = await Promise.all(
    places.map(async (at) => `${at}/${(await env.manage('POST', at, { domain: 'acme.example' })).json.id}`),
  )
  const answers = await Promise.all(claims.map((claim) => env.manage('PATCH', claim, { status: 'verified' })))
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 409, 409])
  const late = await organization(env, 'late')
  const taken = await env.manage('POST', late, { domain: 'acme.example', status: 'verified' })
  assert.deepEqual([taken.status, taken.json.errorCode], [409, 'discovery_domain_taken'])
  assert.deepEqual((await env.manage('GET', late)).json, { domains: [] })
  const elsewhere = await identity.environment()
  const free = await elsewhere.manage('POST', await organization(elsewhere, 'acme'), {
    domain: 'acme.example',
    status: 'verified',
  })
  assert.equal(free.status, 201)

  const winner = claims[answers.findIndex((answer) => answer.status === 200)]!
  assert.equal((await env.manage('PATCH', winner, { status: 'pending' })).json.status, 'pending')
  assert.equal((await env.manage('POST', late, { domain: 'acme.example', status: 'verified' })).status, 201)
})

test("what is no domain and a second claim are refused; another's ids do not exist", async () => {
  const env = await identity.environment()
  const [at, neighbour] = [await organization(env, 'acme'), await organization(env, 'other')]
  for (const domain of ['acme', 'acme.example.', 'a b.example', '10.0.0.1', '*.acme.example', 'https://acme.example']) {
    const answer = await env.manage('POST', at, { domain })
    assert.deepEqual([answer.status, answer.json.errorCode], [400, 'invalid_body'], domain)
  }
  const { id } = (await env.manage('POST', at, { domain: 'acme.example' })).json
  const twice = await env.manage('POST', at, { domain: 'ACME.example' })
  assert.deepEqual([twice.status, twice.json.errorCode], [409, 'discovery_domain_conflict'])
  for (const [method, path] of [
    ['GET', `${neighbour}/${id}`],
    ['GET', `${neighbour}/name/acme.example`],
    ['PATCH', `${neighbour}/${id}`],
    ['DELETE', `${neighbour}/${id}`],
  ] as const) {
    const answer = await env.manage(method, path, method === 'PATCH' ? { status: 'verified' } : undefined)
    assert.deepEqual([answer.status, answer.json.errorCode], [404, 'inexistent_discovery_domain'], `${method} ${path}`)
  }
  assert.equal((await env.manage('GET', `${at}/${id}`)).json.status, 'pending')
})

test('N120 a claim covers the one name that it says: none above it, none below, and no other spelling is that name', async () => {
  const env = await identity.environment()
  const [at, neighbour] = [await organization(env, 'acme'), await organization(env, 'other')]
  const verified = (where: string, domain: string) => env.manage('POST', where, { domain, status: 'verified' })
  assert.equal((await verified(at, 'acme.example')).status, 201)
  // What somebody else has below or beside it is theirs, and leaves it alone.
  for (const domain of ['mail.acme.example', 'acme.example.test', 'xacme.example', 'acme-example.test']) {
    assert.equal((await verified(neighbour, domain)).status, 201, domain)
  }
  const other = ['ACME.example', 'Acme.EXAMPLE']
  for (const domain of other) {
    const taken = await verified(neighbour, domain)
    assert.deepEqual([taken.status, taken.json.errorCode], [409, 'discovery_domain_taken'], domain)
  }
  const spellings = [
    'acme.example.',
    '.acme.example',
    'acme..example',
    ' acme.example',
    'acme.example\n',
    'acme.example:443',
  ]
  const lookalikes = [
    'аcme.example',
    'acmé.example',
    'acme。example',
    'ａcme.example',
    'ac\u200bme.example',
    'acme%2eexample',
  ]
  const encoded = ['xn--acme-.example', 'xn--a.example', 'xn--.example', 'acme@acme.example', 'example', 'com']
  for (const domain of [...spellings, ...lookalikes, ...encoded]) {
    const refused = await verified(neighbour, domain)
    assert.deepEqual([refused.status, refused.json.errorCode], [400, 'invalid_body'], JSON.stringify(domain))
  }
  // An internationalised name as it travels is a name of its own.
  const idn = await verified(neighbour, 'xn--acm-dma.example')
  assert.deepEqual([idn.status, idn.json.domain], [201, 'xn--acm-dma.example'])
  const kept = (await env.manage('GET', at)).json.domains.map(({ domain }: { domain: string }) => domain)
  assert.deepEqual(kept, ['acme.example'])
})

test('N121 a claim that is given up is free once: of many who take it one has it, and who had it begins anew', async () => {
  const env = await identity.environment()
  const at = await organization(env, 'acme')
  const others = await Promise.all(['one', 'two', 'three', 'four'].map((name) => organization(env, name)))
  const first = (await env.manage('POST', at, { domain: 'acme.example', status: 'verified' })).json
  assert.equal((await env.manage('DELETE', `${at}/${first.id}`)).status, 204)
  const asked = { domain: 'acme.example', status: 'verified' }
  const answers = await Promise.all(others.map((other) => env.manage('POST', other, asked)))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409])
  const again = await env.manage('POST', at, { domain: 'acme.example' })
  assert.deepEqual([again.status, again.json.status], [201, 'pending'])
  assert.notEqual(again.json.verification_txt, first.verification_txt)
  const back = await env.manage('PATCH', `${at}/${again.json.id}`, { status: 'verified' })
  assert.deepEqual([back.status, back.json.errorCode], [409, 'discovery_domain_taken'])
  const holders = await Promise.all(others.map(async (other) => (await env.manage('GET', other)).json.domains.length))
  assert.equal(
    holders.reduce((sum, count) => sum + count, 0),
    1,
  )
})
