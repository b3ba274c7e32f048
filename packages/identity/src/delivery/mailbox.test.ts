import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createFixture } from '../resources/organizations/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function world(inviter = 'Anna Reed') {
  const env = await identity.environment()
  const fixture = await createFixture(identity.database, env)
  const org = await fixture.organization({ name: 'blue-kite', display_name: 'Blue Kite' })
  const invite = async (email: string) => {
    const answer = await env.manage('POST', `/organizations/${org}/invitations`, {
      inviter: { name: inviter },
      invitee: { email },
      client_id: fixture.clientId,
    })
    identity.clock.advance(1)
    return answer.json
  }
  return { env, invite }
}

test('mail that would have been sent is listed as JSON with its links, newest first, and filtered by address', async () => {
  const { env, invite } = await world()
  const first = await invite('maria@example.test')
  await invite('tom@example.test')
  const all = await env.request('/dev/mail.json')
  assert.equal(all.status, 200)
  assert.deepEqual(
    all.json.map((mail: { to: string }) => mail.to),
    ['tom@example.test', 'maria@example.test'],
  )
  const { json } = await env.request('/dev/mail.json?to=MARIA@example.test')
  assert.equal(json.length, 1)
  const { id, html, text, created_at, ...rest } = json[0]
  assert.deepEqual(rest, {
    to: 'maria@example.test',
    subject: 'Anna Reed invited you to Blue Kite on Test',
    template: 'organization_invitation',
    channel: 'mail',
    links: [first.invitation_url],
  })
  assert.ok(new Date(created_at) >= new Date(first.created_at))
  assert.ok(html.startsWith('<!doctype html>') && text.includes(first.invitation_url))
})

test('the page shows the list, the message and its link, and works without script', async () => {
  const { env, invite } = await world()
  const { invitation_url } = await invite('maria@example.test')
  const { json } = await env.request('/dev/mail.json')
  for (const path of ['/dev/mail', `/dev/mail/${json[0].id}`]) {
    const page = await env.request(path)
    assert.equal(page.status, 200)
    assert.match(page.headers['content-type'] ?? '', /^text\/html/)
    assert.ok(page.text.includes(`href="${invitation_url.replaceAll('&', '&amp;')}"`))
    assert.ok(page.text.includes(`src="/dev/mail/${json[0].id}/content"`))
    assert.doesNotMatch(page.text, /<script/)
    assert.match(page.headers['content-security-policy'] as string, /^default-src 'none'; style-src 'sha256-/)
    assert.equal(page.headers['cache-control'], 'no-store')
  }
})

test('the message itself is a sandboxed document that can run and load nothing', async () => {
  const { env, invite } = await world('<script>alert(1)</script>')
  await invite('maria@example.test')
  const { json } = await env.request('/dev/mail.json')
  const content = await env.request(`/dev/mail/${json[0].id}/content`)
  assert.equal(content.status, 200)
  const policy = content.headers['content-security-policy'] as string
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /sandbox allow-popups allow-popups-to-escape-sandbox$/)
  assert.doesNotMatch(content.text, /<script/)
  assert.doesNotMatch((await env.request('/dev/mail')).text, /<script/)
})

test('an empty mailbox says what fills it, an empty search repeats what was searched, escaped', async () => {
  const { env } = await world()
  assert.match((await env.request('/dev/mail')).text, /No mail yet/)
  const searched = await env.request('/dev/mail?to=%3Cb%3E')
  assert.equal(searched.status, 200)
  assert.match(searched.text, /No mail to “&lt;b&gt;”/)
  assert.deepEqual((await env.request('/dev/mail.json')).json, [])
})

test("another environment's messages do not exist here", async () => {
  const { env } = await world()
  const other = await world()
  await other.invite('maria@example.test')
  const [mail] = (await other.env.request('/dev/mail.json')).json
  assert.deepEqual((await env.request('/dev/mail.json')).json, [])
  for (const path of [`/dev/mail/${mail.id}`, `/dev/mail/${mail.id}/content`]) {
    const answer = await env.request(path)
    assert.equal(answer.status, 404)
    assert.ok(!answer.text.includes('maria'))
  }
})

test('at a public address of the environment there is no mailbox', async () => {
  const { env, invite } = await world()
  await invite('maria@example.test')
  // Names of this test alone: an origin belongs to one environment of the database.
  const name = env.id.slice(4).toLowerCase()
  const origins = [`http://${name}.bluekite.com`, `http://localhost.${name}.com`, `http://${name}.test.io`]
  await identity.database.acrossEnvironments('give an environment public addresses', async (sql) => {
    for (const origin of origins) {
      await sql`insert into environment_origins (origin, environment_id) values (${origin}, ${env.id})`
    }
    await sql`update environments set origins = ${[env.origin, ...origins]} where id = ${env.id}`
  })
  const [mail] = (await env.request('/dev/mail.json')).json
  for (const origin of origins) {
    for (const path of ['/dev/mail', '/dev/mail.json', `/dev/mail/${mail.id}`, `/dev/mail/${mail.id}/content`]) {
      const answer = await env.request(path, { headers: { host: new URL(origin).host } })
      assert.equal(answer.status, 404)
      assert.match(answer.text, /local addresses only/)
      assert.ok(!answer.text.includes('maria'))
    }
  }
})
