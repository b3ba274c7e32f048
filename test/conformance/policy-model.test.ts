/**
 * A server and a model of its rules go through the same random life: people sign in, switch organizations, refresh, lose
 * memberships, are blocked; connections and roles change, keys rotate, time passes. After each step the two must agree on
 * whether a token was issued and on what it says, so that no token and no session outlives what allowed it.
 *
 *   MODEL_STEPS=20000 MODEL_SEED=7 node scripts/test.mjs test/conformance/policy-model.test.ts
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity, stoppedClock } from '@tenantry/identity/testing.ts'
import { STEPS } from './policy-model/steps.ts'
import { createDraw, createModelWorld } from './policy-model/world.ts'

const STEP_COUNT = Number(process.env.MODEL_STEPS ?? 20_000)
const SEED = Number(process.env.MODEL_SEED ?? 20_261_129)
/** Each has a server, a clock and an environment of its own; on two cores they take half the time. */
const LIVES = 2

test(`in ${STEP_COUNT} random steps no token is issued that the policy of that moment forbids, and none withheld that it allows`, async () => {
  await Promise.all(Array.from({ length: LIVES }, (_, life) => live(SEED + life, Math.ceil(STEP_COUNT / LIVES))))
})

async function live(seed: number, steps: number): Promise<void> {
  const identity = await startIdentity({ clock: stoppedClock() })
  const story: string[] = []
  const seen = new Map<string, number>()
  try {
    const world = await createModelWorld(identity)
    const draw = createDraw(seed)
    const bag = STEPS.flatMap(([weight, step]) => Array<(typeof STEPS)[number][1]>(weight).fill(step))
    for (; world.steps < steps; world.steps++) {
      // No two things happen at the very same moment: a sign-in is newer than what was asked before it.
      world.advance(0.001)
      const step = draw.pick(bag)
      story.push(step.name)
      story.push(await step(world, draw))
      seen.set(step.name, (seen.get(step.name) ?? 0) + 1)
      if (world.steps % 100 === 0) world.tidy()
    }
    // A life in which something never happened proves nothing about it.
    if (steps >= 1000) assert.equal(seen.size, STEPS.length)
  } catch (error) {
    const last = story.slice(-60).join('\n  ')
    throw new Error(`seed ${seed}, step ${story.length / 2}; before it:\n  ${last}`, { cause: error })
  } finally {
    await identity.close()
  }
}
