/** Fixture: an application whose people sign in with codes. */
import assert from 'node:assert/strict'
import type { TestIdentity } from '../testing.ts'
import { createWorld } from './fixture.ts'

export const OTP = 'http://auth0.com/oauth/grant-type/passwordless/otp'

/** An application whose people sign in with codes, by mail and by text message. */
export async function withCodes(identity: TestIdentity, options: object = {}) {
  const world = await createWorld(identity, {}, {})
  const { env } = world
  const app = await world.client({
    name: 'Field app',
    app_type: 'native',
    callbacks: ['https://app.example.test/callback'],
    grant_types: ['authorization_code', 'refresh_token', OTP],
    organization_usage: 'allow',
  })
  const enabled_clients = [app.client_id]
  const email = await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients, options })
  const sms = await world.make('/connections', { name: 'sms', strategy: 'sms', enabled_clients, options })
  const post = (path: string, form: Record<string, string>) =>
    env.request(path, { form: { client_id: app.client_id, ...form } })
  const start = (address: string, more: Record<string, string> = {}) =>
    post('/passwordless/start', { connection: 'email', email: address, send: 'code', ...more })
  const text = (phone_number: string) => post('/passwordless/start', { connection: 'sms', phone_number })
  const sign = (username: string, otp: string, more: Record<string, string> = {}) =>
    post('/oauth/token', { grant_type: OTP, username, otp, realm: username.startsWith('+') ? 'sms' : 'email', ...more })
  /** What arrived last. */
  const inbox = async (to: string) =>
    (await env.request(`/dev/mail.json?to=${encodeURIComponent(to)}`)).json as { text: string; links: string[] }[]
  const codeFor = async (to: string) => {
    const [message] = await inbox(to)
    assert.ok(message, `nothing was sent to ${to}`)
    identity.clock.advance(1)
    return /\b\d{6,10}\b/.exec(message.text)![0]
  }
  return { world, env, client_id: app.client_id, email, sms, start, text, sign, inbox, codeFor }
}
