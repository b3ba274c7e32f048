import type { GuestPayload } from './messages.ts'
import type { SessionTokens } from './session-tokens.ts'

/**
 * The code of ours that runs INSIDE a customer's isolate, with `sessionTokens`. It is passed as text (`Function.prototype.toString`), so
 * it may use nothing from this module's scope. It takes strings and returns strings: no host object ever enters the
 * guest's world, which is the precondition of the known escapes of the engine (GHSA-864f-rcv7-6rh4).
 *
 * The action shares this realm and may break every prototype in it. What that can change is its own output, which the
 * server distrusts anyway; intrinsics are captured so that ordinary monkey patching does not break honest recording.
 */
export function guest(sessionTokens: () => SessionTokens): (operation: string, argument: string) => string {
  const { parse, stringify } = JSON
  const { construct, apply, defineProperty, deleteProperty } = Reflect
  const TypeErrorHere = TypeError
  const ErrorHere = Error
  const text = String
  const now = Date.now
  const max = Math.max
  const isFiniteNumber = Number.isFinite
  const keysOf = Object.keys
  const slice = String.prototype.slice
  const replaceAll = String.prototype.replaceAll
  const split = String.prototype.split
  const match = String.prototype.match
  const includes = String.prototype.includes
  const MISSING = /^(ReferenceError: )(\w+) is not defined([\s\S]*)$/
  const world = globalThis as unknown as Record<string, unknown>

  // Shared memory and WebAssembly memory are not counted against the isolate's limit; finalizers would run during
  // another invocation.
  for (const name of ['SharedArrayBuffer', 'Atomics', 'WebAssembly', 'FinalizationRegistry']) delete world[name]

  // Resizable buffers are reserved outside the engine's limited allocator: 900 MB passed a limit of 32 MB. Only the
  // fixed-length form is left, also for code that finds the constructor through a prototype.
  const FixedBuffer = ArrayBuffer
  const buffers = FixedBuffer.prototype as unknown as Record<string, unknown>
  const Guarded = function (this: unknown, length: unknown): object {
    if (!new.target) throw new TypeErrorHere("Constructor ArrayBuffer requires 'new'")
    return construct(FixedBuffer, [length], new.target)
  }
  defineProperty(Guarded, 'name', { value: 'ArrayBuffer' })
  defineProperty(Guarded, 'prototype', { value: buffers, writable: false })
  defineProperty(Guarded, 'isView', { value: FixedBuffer.isView })
  defineProperty(buffers, 'constructor', { value: Guarded, writable: true, configurable: true })
  defineProperty(world, 'ArrayBuffer', { value: Guarded, writable: true, configurable: true })
  deleteProperty(buffers, 'resize')

  const tokens = sessionTokens()
  let payload: GuestPayload | undefined
  let payloadText = ''
  let state: 'idle' | 'pending' | 'done' | 'failed' = 'idle'
  let failure = ''
  let commands = ''
  let overflow = false
  let printed = 0
  let lines = ''
  const timers = new Map<number, { due: number; call: () => unknown }>()
  let nextTimer = 1
  const timerSet = timers.set.bind(timers)
  const timerDelete = timers.delete.bind(timers)
  const timerEach = timers.forEach.bind(timers)
  const module: { exports: unknown } = { exports: {} }

  const clip = (value: string, length: number): string => apply(slice, value, [0, length])

  const redacted = (value: string): string => {
    let out = value
    for (const secret of payload?.redact ?? []) out = apply(replaceAll, out, [secret, () => '[redacted]'])
    return out
  }

  /** What an Action of Auth0's finds in Node.js, and not here. */
  const ELSEWHERE =
    ' fetch Headers Request Response FormData Blob AbortController URL URLSearchParams crypto Buffer process global ' +
    'TextEncoder TextDecoder atob btoa structuredClone queueMicrotask setInterval setImmediate performance __dirname '

  /** An author who misses one of those is told that it is not a slip of theirs. */
  const explained = (stack: string): string => {
    const [, before = '', name = '', after = ''] = apply(match, stack, [MISSING]) ?? []
    if (name === '' || !apply(includes, ELSEWHERE, [` ${name} `])) return stack
    return `${before}${name} is not defined: an Action has no network, no modules and nothing of Node.js here yet${after}`
  }

  const describe = (thrown: unknown): string => {
    try {
      if (thrown instanceof ErrorHere) return clip(redacted(explained(text(thrown.stack ?? thrown))), 8192)
      return clip(
        redacted(`Thrown: ${typeof thrown === 'string' ? thrown : (stringify(thrown) ?? text(thrown))}`),
        8192,
      )
    } catch {
      return 'The action threw a value that cannot be described.'
    }
  }

  const print = (...values: unknown[]): void => {
    if (!payload || printed >= payload.logLines) return
    let line = ''
    for (let index = 0; index < values.length; index++) {
      const value = values[index]
      let part: string
      try {
        if (typeof value === 'string') part = value
        else if (value instanceof ErrorHere) part = text(value.stack)
        else part = stringify(value) ?? text(value)
      } catch {
        part = '[unprintable]'
      }
      line += (index ? ' ' : '') + part
    }
    lines += (printed ? ',' : '') + stringify(clip(redacted(line), payload.logChars))
    printed++
  }

  /** Refuses what JSON would silently turn into null or drop, where the author sees it: at his own line. */
  const jsonText = (method: string, command: Record<string, unknown>): string => {
    const strict = (key: string, value: unknown): unknown => {
      if (typeof value === 'number' && !isFiniteNumber(value))
        throw new TypeErrorHere(`${method}: ${key} is not a JSON number`)
      if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
        throw new TypeErrorHere(`${method}: ${key} is a ${typeof value}, which JSON cannot hold`)
      return value
    }
    return stringify(command, strict)
  }

  const buildApi = (facts: GuestPayload): Record<string, unknown> => {
    const api: Record<string, unknown> = {}
    const place = (path: string, value: unknown): void => {
      const [group, name] = apply(split, path, ['.']) as [string, string]
      api[group] ??= {}
      ;(api[group] as Record<string, unknown>)[name] = value
    }
    const isAbsent = (path: string): boolean => {
      const [group] = apply(split, path, ['.']) as string[]
      for (let index = 0; index < facts.absent.length; index++)
        if (facts.absent[index] === group || facts.absent[index] === path) return true
      return false
    }
    for (const path of keysOf(facts.methods)) {
      const names = facts.methods[path]!
      place(path, (...args: unknown[]): unknown => {
        if (isAbsent(path)) throw new ErrorHere(`api.${path}: there is none in this transaction`)
        const command: Record<string, unknown> = { type: path }
        for (let index = 0; index < names.length; index++) command[names[index]!] = args[index]
        const json = jsonText(`api.${path}`, command)
        if (commands.length + json.length > 1_000_000) overflow = true
        else commands += (commands ? ',' : '') + json
        return api
      })
    }
    for (const path of keysOf(facts.answers)) place(path, () => facts.answers[path])
    if (facts.methods['transaction.addTargetScope']) placeTargetScopes(facts.event, api.transaction)
    if (facts.methods['transaction.setMetadata']) placeTransactionMetadata(facts.event, api.transaction)
    if (facts.continuation !== undefined) placeRedirect(facts.continuation, api.redirect as Record<string, unknown>)
    for (const path of facts.unavailable) {
      place(path, () => {
        throw new ErrorHere(`api.${path} is not available yet`)
      })
    }
    return api
  }

  /** The event holds the scopes as the action has left them, also while it goes on. */
  const placeTargetScopes = (event: Record<string, unknown>, transaction: unknown): void => {
    const methods = transaction as Record<string, (...args: unknown[]) => unknown>
    const changing = (name: string, next: (scopes: string[], argument: unknown) => string[]): void => {
      const record = methods[name]!
      methods[name] = (argument: unknown): unknown => {
        const answer = apply(record, undefined, [argument])
        const seen = event.transaction as { target_scopes?: string[] } | undefined
        if (seen?.target_scopes) seen.target_scopes = next(seen.target_scopes, argument)
        return answer
      }
    }
    const without = (scopes: string[], unwanted: unknown): string[] => {
      const kept: string[] = []
      for (let index = 0; index < scopes.length; index++)
        if (scopes[index] !== unwanted) kept[kept.length] = scopes[index]!
      return kept
    }
    const joined = (scopes: string[], scope: unknown): string[] => {
      for (let index = 0; index < scopes.length; index++) if (scopes[index] === scope) return scopes
      const more = without(scopes, scope)
      more[more.length] = scope as string
      return more
    }
    changing('addTargetScope', joined)
    changing('removeTargetScope', without)
    changing('clearTargetScopes', () => [])
    changing('setTargetScopes', (_, asked) => {
      let scopes: string[] = []
      for (let index = 0; index < (asked as string[]).length; index++)
        scopes = joined(scopes, (asked as string[])[index])
      return scopes
    })
  }

  /** What is left for later actions stands in the event at once. */
  const placeTransactionMetadata = (event: Record<string, unknown>, transaction: unknown): void => {
    const methods = transaction as Record<string, (...args: unknown[]) => unknown>
    const record = methods.setMetadata!
    methods.setMetadata = (key: unknown, value: unknown): unknown => {
      const answer = apply(record, undefined, [key, value])
      const seen = event.transaction as { metadata?: Record<string, unknown> } | undefined
      if (typeof key !== 'string' || !seen?.metadata) return answer
      if (value === null || value === undefined) deleteProperty(seen.metadata, key)
      else defineProperty(seen.metadata, key, { value, writable: true, enumerable: true, configurable: true })
      return answer
    }
  }

  /** Whoever is sent away must find the way back: without a handler for that, the author is told at his own line. */
  const placeRedirect = (continuation: string, redirect: Record<string, unknown>): void => {
    const record = redirect.sendUserTo as (...args: unknown[]) => unknown
    redirect.sendUserTo = (...args: unknown[]): unknown => {
      if (typeof (module.exports as Record<string, unknown>)[continuation] !== 'function')
        throw new ErrorHere(`api.redirect.sendUserTo: the action exports no function ${continuation}`)
      return apply(record, undefined, args)
    }
    // The event is read anew: the action may have changed its own.
    const event = () => (parse(payloadText) as GuestPayload).event
    redirect.encodeToken = (options: unknown) => tokens.encode(options, event())
    redirect.validateToken = (options: unknown) => tokens.validate(options, event())
  }

  const provide = (name: string, value: unknown): void => {
    defineProperty(world, name, { value, writable: true, configurable: true, enumerable: false })
  }

  const prepare = (): void => {
    const consoleHere: Record<string, unknown> = {}
    for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace']) consoleHere[level] = print
    provide('console', consoleHere)
    provide('module', module)
    provide('exports', module.exports)
    provide('require', (id: unknown) => {
      throw new ErrorHere(
        `require(${stringify(text(id))}) is refused: this Action runtime has no modules or dependencies yet`,
      )
    })
    provide('setTimeout', (call: (...args: unknown[]) => unknown, delay: unknown, ...args: unknown[]): number => {
      if (typeof call !== 'function') throw new TypeErrorHere('setTimeout needs a function')
      const wait = max(Number(delay) || 0, 0)
      const id = nextTimer++
      timerSet(id, { due: now() + wait, call: () => call(...args) })
      return id
    })
    provide('clearTimeout', (id: unknown): void => {
      timerDelete(id as number)
    })
  }

  const fail = (thrown: unknown): void => {
    if (state === 'failed') return
    state = 'failed'
    failure = describe(thrown)
  }

  const handlerOf = (): unknown => {
    const exported = module.exports as Record<string, unknown> | null | undefined
    return exported?.[payload!.handler]
  }

  const missing = (): string => `The action exports no function ${payload!.handler}.`

  const start = (): void => {
    if (typeof handlerOf() !== 'function') {
      state = 'failed'
      failure = missing()
      return
    }
    state = 'pending'
    void settle()
  }

  /** `await` of a native promise does not look up `then`, which the action may have patched. */
  const settle = async (): Promise<void> => {
    try {
      await apply(handlerOf() as () => unknown, module.exports, [payload!.event, buildApi(payload!)])
      if (state === 'pending') state = 'done'
    } catch (thrown) {
      fail(thrown)
    }
  }

  /** Runs the timers that are due. One that throws ends the action, as an uncaught exception would. */
  const tick = (): void => {
    const due: { id: number; at: number; call: () => unknown }[] = []
    const time = now()
    timerEach((timer, id) => {
      if (timer.due <= time) due[due.length] = { id, at: timer.due, call: timer.call }
    })
    for (let index = 0; index < due.length; index++) {
      timerDelete(due[index]!.id)
      try {
        due[index]!.call()
      } catch (thrown) {
        fail(thrown)
      }
    }
  }

  const status = (): string => {
    if (state !== 'pending') return state
    let earliest = -1
    timerEach((timer) => {
      if (earliest < 0 || timer.due < earliest) earliest = timer.due
    })
    if (earliest < 0) return 'stuck'
    return `wait:${max(earliest - now(), 0)}`
  }

  return (operation, argument) => {
    switch (operation) {
      case 'prepare':
        payloadText = argument
        payload = parse(argument) as GuestPayload
        prepare()
        return ''
      case 'check':
        return typeof handlerOf() === 'function' ? '' : missing()
      case 'start':
        start()
        return ''
      case 'tick':
        tick()
        return ''
      case 'status':
        return status()
      case 'output':
        return overflow ? '' : `[${commands}]`
      case 'logs':
        return `[${lines}]`
      case 'failure':
        return failure
      default:
        return ''
    }
  }
}
