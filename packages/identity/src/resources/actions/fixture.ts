/** Actions as tests make, deploy and bind them. */
import assert from 'node:assert/strict'
import type { TestEnvironment, TestIdentity } from '../../testing.ts'
import * as store from './store.ts'

/** An action that does nothing. */
export const CODE = 'exports.onExecutePostLogin = async (event, api) => {}'

export const body = (change = {}) => ({
  name: 'Add tenant',
  supported_triggers: [{ id: 'post-login', version: 'v3' }],
  code: CODE,
  ...change,
})

/** @returns the action, a draft unless `change` says otherwise */
export async function create(env: TestEnvironment, change = {}): Promise<{ id: string } & Record<string, unknown>> {
  const answer = await env.manage('POST', '/actions/actions', body(change))
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}

export const deploy = (env: TestEnvironment, id: string) => env.manage('POST', `/actions/actions/${id}/deploy`)

/** Replaces what runs at the sign-in. */
export const bind = (env: TestEnvironment, ...bindings: object[]) =>
  env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings })

/** What runs at the sign-in, in its order. */
export const running = ({ database }: TestIdentity, env: TestEnvironment) =>
  database.inEnvironment(env.id, (tx) => store.deployedFor(tx, 'post-login'))
