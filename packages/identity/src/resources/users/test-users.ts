/** Fixture: people in a database of their own, made through the API. */
import assert from 'node:assert/strict'
import type { TestEnvironment, TestIdentity } from '../../testing.ts'
import { PASSWORD } from '../fixture.ts'

/** An environment with a database of people. */
export async function withConnection(identity: TestIdentity, options: object = {}) {
  const env = await identity.environment()
  const made = await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0', options })
  assert.equal(made.status, 201, made.text)
  return env
}

/** What `create` sends. */
export const person = (email: string, more: object = {}) => ({
  connection: 'people',
  email,
  password: PASSWORD,
  ...more,
})

export const create = async (env: TestEnvironment, email: string, more: object = {}) => {
  const answer = await env.manage('POST', '/users', person(email, more))
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}

export const path = (userId: string) => `/users/${encodeURIComponent(userId)}`

/** The row of a user, whole. */
export const stored = async (identity: TestIdentity, env: TestEnvironment, userId: string) => {
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select * from users where user_id = ${userId}`)
  return row
}
