/**
 * Versions 2 and 3, whose interface is nearly the same: bare values, callbacks or promises, one object of path parameters.
 * Most methods exist twice, on a manager and, under another name, on the client itself; the suites run through both.
 */
import { createRequire } from 'node:module'
import { counting, type SdkWorld } from '../fixture.ts'

// biome-ignore lint/suspicious/noExplicitAny: versions 2 and 3 have no types
export type Legacy = any

export interface Opened {
  world: SdkWorld
  api: Legacy
  major: 2 | 3
  /** Sets names apart, because the suites run twice in one environment. */
  tag: string
  /** The same interface in another environment; its calls count as well. */
  into(world: SdkWorld): Legacy
}
export type Open = () => Opened

const require = createRequire(import.meta.url)

export function legacy(major: 2 | 3) {
  const { ManagementClient } = require(`auth0-${major}`)
  return {
    open: (world: SdkWorld, more: object = {}): Legacy => new ManagementClient({ ...world.options, ...more }),
    counted: (world: SdkWorld, called?: Set<string>) => counting(new ManagementClient(world.options) as Legacy, called),
  }
}

/** `getUsers` on the client is `users.getAll`: read from what the method does. */
export function aliases(client: Legacy): Map<string, string> {
  const found = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(client))).flatMap(
    ([name, { value }]) => {
      const target = /return this\.(\w+\.\w+)\(/.exec(String(value))?.[1]
      return target ? [[name, target] as const] : []
    },
  )
  return new Map(found)
}

/** The same interface as the managers, through the methods of the client itself wherever there is one. */
export function throughAliases(api: Legacy, known: Map<string, string>): Legacy {
  const byTarget = new Map([...known].map(([name, target]) => [target, name]))
  return new Proxy(api, {
    get: (client, manager: string) =>
      new Proxy(client[manager], {
        get(object, method: string) {
          const alias = byTarget.get(`${manager}.${method}`)
          return alias ? (...args: unknown[]) => client[alias](...args) : object[method]
        },
      }),
  })
}

/** Every method of every manager, and of the client itself. */
export function methodsOf(client: Legacy): string[] {
  const managers = Object.entries<Legacy>(client).filter(([name]) => name !== 'tokenProvider')
  const named = (prefix: string, prototype: object) =>
    Object.getOwnPropertyNames(prototype)
      .filter((name) => name !== 'constructor' && !name.startsWith('_'))
      .map((name) => prefix + name)
  return [
    ...named('', Object.getPrototypeOf(client)),
    ...managers.flatMap(([name, manager]) => named(`${name}.`, Object.getPrototypeOf(manager))),
  ]
}
