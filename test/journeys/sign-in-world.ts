/** What tests of sign-in pages stand on: a browser, an identity server in this process, and an application to arrive at. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'

export const PASSWORD = 'copper lantern drift'
/** The button by which a page goes on. */
export const submit = 'form[data-form-primary=true] button[data-action-button-primary=true]'

export interface SignInWorld {
  browser: Browser
  identity: TestIdentity
  /** At `localhost`, where browsers hold plain http for safe. */
  env: TestEnvironment
  /** Where the browser arrives with its code: an application that is no part of the test, and answers `arrived`. */
  application: Server
  callback: string
  /** By the Management API. @throws AssertionError for a refusal */
  make(path: string, body: object): Promise<Record<string, string>>
  /** Another application, at the same address. @returns its id */
  client(more?: object): Promise<string>
  /** Where an application begins a sign-in. */
  authorize(clientId: string, more?: Record<string, string>): string
  close(): Promise<void>
}

export async function startSignInWorld(): Promise<SignInWorld> {
  const browser = await launchChromium()
  const identity = await startIdentity({ clock: movableClock() })
  const application = createServer((_request, response) => response.end('arrived'))
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
  const callback = `http://localhost:${(application.address() as AddressInfo).port}/callback`
  const env = await identity.environment({ friendly_name: 'Stockroom' }, 'localhost')
  const make: SignInWorld['make'] = async (path, body) => {
    const answer = await env.manage('POST', path, body)
    assert.ok(answer.status < 300, `${path}: ${answer.text}`)
    return answer.json ?? {}
  }
  return {
    ...{ browser, identity, env, application, callback, make },
    client: async (more = {}) =>
      (await make('/clients', { name: 'Stockroom', app_type: 'spa', callbacks: [callback], ...more })).client_id!,
    authorize: (clientId, more = {}) => {
      const asked = {
        client_id: clientId,
        redirect_uri: callback,
        response_type: 'code',
        scope: 'openid',
        state: 'x',
        code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
        code_challenge_method: 'S256',
      }
      return new URL(`/authorize?${new URLSearchParams({ ...asked, ...more })}`, env.origin).href
    },
    async close() {
      await browser.close()
      await identity.close()
      application.close()
    },
  }
}
