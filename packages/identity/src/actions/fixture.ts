import assert from 'node:assert/strict'
import { after } from 'node:test'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import type { Command } from './commands.ts'
import type { ActionLimits } from './limits.ts'
import { type ActionOutcome, type ActionRunner, type BoundAction, createActionRunner } from './runner.ts'

/** Real runner processes for the tests of this folder. One process by default, so that neighbours are neighbours. */
export function testRunner(limits: Partial<ActionLimits> = {}, processes = 1, allow: string[] = []) {
  const entries: string[] = []
  const note = (_facts: Record<string, unknown>, message: string) => {
    entries.push(message)
  }
  const egress = createEgress({ allow })
  const runner = createActionRunner({ logger: { warn: note, error: note }, egress, limits, processes })
  after(() => runner.close())
  return { runner, entries }
}

/** The body of a post-login handler as a whole action file. */
export const handler = (body: string): string => `exports.onExecutePostLogin = async (event, api) => {\n${body}\n}`

let version = 0

export const action = (code: string, facts: Partial<BoundAction> = {}): BoundAction => ({
  actionId: 'act_1',
  versionId: `ver_${++version}`,
  name: 'first',
  code,
  secrets: {},
  ...facts,
})

export const runAll = (
  runner: ActionRunner,
  actions: BoundAction[],
  event: Record<string, unknown> = {},
  environmentId = 'env_a',
) => runner.run({ trigger: 'post-login', environmentId, actions, event })

export const runBody = (
  runner: ActionRunner,
  body: string,
  event: Record<string, unknown> = {},
  environmentId = 'env_a',
) => runAll(runner, [action(handler(body))], event, environmentId)

export function commandsOf(outcome: ActionOutcome): Command[] {
  assert.equal(outcome.ok, true, JSON.stringify(outcome))
  return outcome.ok ? outcome.commands : []
}

export function failureOf(outcome: ActionOutcome): Extract<ActionOutcome, { ok: false }> {
  assert.equal(outcome.ok, false, JSON.stringify(outcome).slice(0, 500))
  assert.ok(!outcome.ok)
  assert.equal('commands' in outcome, false)
  assert.match(outcome.correlationId, /^[0-9a-f-]{36}$/)
  return outcome
}

/** What a body reports through `report(value)`: the value of a claim, as the server got it. */
export async function reportOf(runner: ActionRunner, body: string, environmentId = 'env_a'): Promise<unknown> {
  const source = `const report = (value) => api.idToken.setCustomClaim('https://report.example', value)\n${body}`
  const command = commandsOf(await runBody(runner, source, {}, environmentId)).at(-1)
  return command && 'value' in command ? command.value : undefined
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
