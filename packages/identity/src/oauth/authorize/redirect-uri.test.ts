import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld, REDIRECT } from '../fixture.ts'
import { isErrorPage, isPage, transactions, without } from './test-answers.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('N49 N51 a redirect URI counts only as it is registered, byte for byte; all else is an error page and never a redirect', async () => {
  const world = await createWorld(identity)
  const { env } = world
  isPage(await env.request(world.authorize().path), 'organization')
  assert.equal(await transactions(identity, world), 1)
  const corpus = [
    'https://app.example.test.evil.test/callback',
    'https://app.example.test@evil.test/callback',
    'https://evil.test\\@app.example.test/callback',
    'https://evil.test/https://app.example.test/callback',
    '//app.example.test/callback',
    'https://app.example.test/callback/%2e%2e',
    'https://app.example.test/other/../callback',
    'https://app.example.test/callback#fragment',
    'https://app.example.test./callback',
    'https://app.example.test:443/callback',
    'https://APP.example.test/callback',
    'https://app.example.test/Callback',
    'https://app.example.test/callback/',
    'https://app.example.test/callback?more=1',
    'https://app.example.test/callback?',
    'https://user@app.example.test/callback',
    'https://аpp.example.test/callback',
    'http://app.example.test/callback',
    ' https://app.example.test/callback',
    'https://app.example.test/callback\t',
    'javascript:alert(1)//https://app.example.test/callback',
    // No exception for this machine: neither for a name that begins like it nor for another port.
    'http://localhost.evil.test/callback',
    'http://127.0.0.1@evil.test/callback',
    'http://127.1/callback',
    'http://localhost/callback',
    '',
  ]
  for (const redirect_uri of corpus) {
    const answer = await env.request(world.authorize({ redirect_uri }).path)
    isErrorPage(answer)
    assert.match(answer.text, /not in the application’s list of allowed callback URLs/, redirect_uri)
  }
  isErrorPage(await env.request(without(world.authorize().path, 'redirect_uri')))
  assert.equal(await transactions(identity, world), 1)
})

test('a redirect URI with a query is read whole, also when its question mark is not encoded', async () => {
  const world = await createWorld(identity, { callbacks: [REDIRECT, `${REDIRECT}?b=2`] })
  const path = `${without(world.authorize().path, 'redirect_uri')}&prompt=none&redirect_uri=${REDIRECT}?b=2`
  const answer = await world.env.request(path)
  assert.equal(answer.status, 302, answer.text)
  assert.ok(answer.headers.location!.startsWith(`${REDIRECT}?b=2&error=`), answer.headers.location)
})

test('an answer is put behind the registered address to its letter, with %20 for spaces as Auth0 has it, in the query and in the fragment', async () => {
  const registered = `${REDIRECT}?to=a%20b+c&flag`
  const world = await createWorld(identity, {
    callbacks: [registered],
    grant_types: ['authorization_code', 'implicit'],
  })
  const ask = async (more: Record<string, string>) => {
    const { path } = world.authorize({ redirect_uri: registered, state: 'a+b c', audience: 'https://no such', ...more })
    return (await world.env.request(path)).headers.location
  }
  const answer =
    'error=access_denied&error_description=Service%20not%20found%3A%20https%3A%2F%2Fno%20such&state=a%2Bb%20c&' +
    new URLSearchParams({ iss: world.env.issuer })
  assert.equal(await ask({}), `${registered}&${answer}`)
  assert.equal(await ask({ response_mode: 'fragment' }), `${registered}#${answer}`)
})
