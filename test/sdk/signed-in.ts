/** A person who has signed in for real, with an Action bound, in the environment of a suite. */
import assert from 'node:assert/strict'
import { createWorld, openBrowser, type Person } from '@tenantry/identity/oauth/fixture.ts'
import type { SdkWorld } from './fixture.ts'

export interface SignedIn {
  anna: Person
  client_id: string
  organization: string
  tokens: { access_token: string; refresh_token: string }
  /** Signs in once more, in a browser of its own. */
  again(): Promise<{ access_token: string; refresh_token: string }>
  /** Tries a wrong password. */
  fail(): Promise<void>
}

export async function signedIn({ env }: SdkWorld): Promise<SignedIn> {
  const world = await createWorld({ environment: async () => env })
  const organization = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization })
  const action = await world.make('/actions/actions', {
    name: 'Seen',
    supported_triggers: [{ id: 'post-login' }],
    code: 'exports.onExecutePostLogin = async () => {}',
    deploy: true,
  })
  const bound = await env.manage('PATCH', '/actions/triggers/post-login/bindings', {
    bindings: [{ ref: { type: 'action_id', value: action.id } }],
  })
  assert.equal(bound.status, 200, bound.text)
  const again = () => world.tokens(anna, { organization })
  return {
    anna,
    client_id: world.spa,
    organization,
    tokens: await again(),
    again,
    fail: async () => {
      const browser = openBrowser(env)
      const { path } = world.authorize({ organization, prompt: 'login' })
      const page = await browser.follow(await browser.visit(path))
      assert.ok((await browser.submit(page, { username: anna.email, password: 'wrong' })).status >= 400)
    },
  }
}
