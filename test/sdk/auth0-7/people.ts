/** People who really sign in, in the environment that the SDK manages. */
import { setTimeout as pause } from 'node:timers/promises'
import { createWorld, openBrowser, type Person, type World } from '@tenantry/identity/oauth/fixture.ts'
import { workerOf } from '@tenantry/identity/resources/jobs/fixture.ts'
import { runDueJobs } from '@tenantry/identity/resources/jobs/worker.ts'
import type { SdkWorld } from '../fixture.ts'

export interface People extends Pick<World, 'spa' | 'person' | 'refresh'> {
  /** A sign-in in a browser of its own, up to the tokens. */
  signIn(person: Person): Promise<{ refresh_token: string }>
  /** What the login answers to a password. */
  attempt(email: string, password: string): Promise<number>
}

const worlds = new WeakMap<SdkWorld, Promise<World>>()

export async function peopleOf(world: SdkWorld): Promise<People> {
  let made = worlds.get(world)
  if (!made) {
    const settings = { organization_usage: 'deny', organization_require_behavior: 'no_prompt' }
    made = createWorld({ environment: async () => world.env }, settings)
    worlds.set(world, made)
  }
  const { spa, person, refresh, tokens, authorize } = await made
  const browser = openBrowser(world.env)
  return {
    spa,
    person,
    refresh,
    signIn: (who) => tokens(who),
    attempt: async (email, password) => {
      const page = await browser.follow(await browser.visit(authorize({ prompt: 'login' }).path))
      return (await browser.submit(page, { username: email, password })).status
    },
  }
}

/** What happens in the background is waited for. */
export async function until<Value>(ask: () => Promise<Value | undefined>): Promise<Value> {
  for (let tries = 0; tries < 3_000; tries++) {
    const value = await ask()
    if (value !== undefined) return value
    await pause(20)
  }
  throw new Error('it did not happen')
}

/** What is due is run here, so that no test waits for the server's background. */
export async function runJobs({ identity }: SdkWorld): Promise<void> {
  await runDueJobs(workerOf(identity))
}
