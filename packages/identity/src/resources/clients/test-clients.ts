/** Fixture: clients, made through the API. */
import assert from 'node:assert/strict'
import type { TestEnvironment } from '../../testing.ts'

export const create = async (env: TestEnvironment, body: object) => {
  const answer = await env.manage('POST', '/clients', { name: 'App', ...body })
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}
