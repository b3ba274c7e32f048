/**
 * Sagas that are killed: `killing` wraps a definition so that the process ends by SIGKILL at one point of it, and
 * `runKilled` runs such a saga in a process of its own.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { SagaDefinition } from './saga.ts'

const die = async (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}

/** Every moment of a saga at which dying makes a difference: before a step, after its effect, and before its record is committed. */
export function pointsOf(definition: SagaDefinition<never>, compensatedFrom?: string): string[] {
  const names = definition.steps.map(({ name }) => name)
  const upTo = compensatedFrom === undefined ? names.length : names.indexOf(compensatedFrom) + 1
  const forward = names
    .slice(0, upTo)
    .flatMap((name) => [`${name} run before`, `${name} run after`, `${name} record after`])
  const back = names
    .slice(0, compensatedFrom === undefined ? 0 : upTo)
    .reverse()
    .flatMap((name) => [`${name} compensate before`, `${name} compensate after`, `${name} unrecord after`])
  return ['begin after', ...forward, ...back]
}

// biome-ignore lint/suspicious/noExplicitAny: wraps sagas of any input.
export function killing(definition: SagaDefinition<any>, point: string | undefined): SagaDefinition<any> {
  const around =
    <Arguments extends unknown[], Result>(name: string, work: ((...all: Arguments) => Promise<Result>) | undefined) =>
    async (...all: Arguments): Promise<Result> => {
      if (point === `${name} before`) await die()
      const result = await work?.(...all)
      if (point === `${name} after`) await die()
      return result as Result
    }
  const [first, ...rest] = definition.steps.map((step) => ({
    ...step,
    run: around(`${step.name} run`, step.run),
    record: around(`${step.name} record`, step.record),
    compensate: around(`${step.name} compensate`, step.compensate),
    unrecord: around(`${step.name} unrecord`, step.unrecord),
  }))
  return { ...definition, begin: around('begin', definition.begin), steps: [first!, ...rest] }
}

/** Runs a program of the tests in a process of its own. @returns the signal that ended it */
export async function runKilled(program: string, argument: object): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [program, JSON.stringify(argument)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: process.env,
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (code !== null && code !== 0) throw new Error(`${program} ended with code ${code}.`)
  return signal
}
