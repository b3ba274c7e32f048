import type { GuestApi } from './guest-api.ts'
import type { GuestCache } from './guest-cache.ts'
import type { GuestFacts, GuestModules, PartFactory } from './guest-modules.ts'
import type { GuestTimers } from './guest-timers.ts'
import type { GuestPayload } from './messages.ts'
import type { SessionTokens } from './session-tokens.ts'

/** The functions beside `guest`, each in a file of its own, passed as text like it. */
export interface GuestPieces {
  sessionTokens(): SessionTokens
  guestCache(): GuestCache
  guestApi(
    tokens: SessionTokens,
    cache: GuestCache,
    payloadText: () => string,
    exported: () => Record<string, unknown>,
  ): GuestApi
  guestTimers(fail: (thrown: unknown) => void): GuestTimers
  guestModules(provide: (name: string, value: unknown) => void, facts: () => GuestFacts): GuestModules
}

/**
 * The code of ours that runs INSIDE a customer's isolate, with the pieces above. It is passed as text (`Function.prototype.toString`), so
 * it may use nothing from this module's scope. It takes strings and returns strings: no host object ever enters the
 * guest's world, which is the precondition of the known escapes of the engine (GHSA-864f-rcv7-6rh4).
 *
 * The action shares this realm and may break every prototype in it. What that can change is its own output, which the
 * server distrusts anyway; intrinsics are captured so that ordinary monkey patching does not break honest recording.
 */
export function guest(pieces: GuestPieces): (operation: string, argument: string) => string {
  const { parse, stringify } = JSON
  const { construct, apply, defineProperty, deleteProperty } = Reflect
  const TypeErrorHere = TypeError
  const ErrorHere = Error
  const text = String
  const keysOf = Object.keys
  const slice = String.prototype.slice
  const replaceAll = String.prototype.replaceAll
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

  let payload: GuestPayload | undefined
  let payloadText = ''
  let state: 'idle' | 'pending' | 'done' | 'failed' = 'idle'
  let failure = ''
  let printed = 0
  let lines = ''
  const module: { exports: unknown } = { exports: {} }

  const provide = (name: string, value: unknown): void => {
    defineProperty(world, name, { value, writable: true, configurable: true, enumerable: false })
  }

  const clip = (value: string, length: number): string => apply(slice, value, [0, length])

  const redacted = (value: string): string => {
    let out = value
    for (const secret of payload?.redact ?? []) out = apply(replaceAll, out, [secret, () => '[redacted]'])
    return out
  }

  /** What an Action of Auth0's finds in Node.js, and not here. */
  const ELSEWHERE =
    ' process global __dirname __filename FormData Blob File ReadableStream WritableStream TransformStream WebSocket ' +
    'XMLHttpRequest Event EventTarget MessageChannel BroadcastChannel WebAssembly SharedArrayBuffer Atomics '

  /** An author who misses one of those is told that it is not a slip of theirs. */
  const explained = (stack: string): string => {
    const [, before = '', name = '', after = ''] = apply(match, stack, [MISSING]) ?? []
    if (name === '' || !apply(includes, ELSEWHERE, [` ${name} `])) return stack
    return `${before}${name} is not defined: an Action has no process, no files and no streams here${after}`
  }

  /** Libraries wrap what went wrong in an error of their own. */
  const causes = (thrown: Error): string => {
    let out = ''
    let cause = thrown.cause
    for (let depth = 0; depth < 3 && cause instanceof ErrorHere; depth++) {
      out += `\ncaused by ${text(cause.name)}: ${text(cause.message)}`
      cause = cause.cause
    }
    return out
  }

  const describe = (thrown: unknown): string => {
    try {
      if (thrown instanceof ErrorHere)
        return clip(redacted(explained(text(thrown.stack ?? thrown)) + causes(thrown)), 8192)
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

  const prepare = (): void => {
    const consoleHere: Record<string, unknown> = {}
    for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace']) consoleHere[level] = print
    provide('console', consoleHere)
    provide('module', module)
    provide('exports', module.exports)
    provide('require', modules.require)
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
      await apply(handlerOf() as () => unknown, module.exports, [payload!.event, api.build(payload!)])
      if (state === 'pending') state = 'done'
    } catch (thrown) {
      fail(thrown)
    }
  }

  const status = (): string => {
    if (state === 'done' && cache.changes() !== '') return 'kept'
    if (state !== 'pending') return state
    const told = modules.next()
    if (told !== '') return told
    const next = timers.next()
    if (next >= 0) return `wait:${next}`
    return modules.isWaiting() ? 'wait:' : 'stuck'
  }

  const cache = pieces.guestCache()
  const api = pieces.guestApi(
    pieces.sessionTokens(),
    cache,
    () => payloadText,
    () => module.exports as Record<string, unknown>,
  )
  const timers = pieces.guestTimers(fail)
  const modules = pieces.guestModules(provide, () => payload!)
  for (const name of keysOf(timers.globals)) provide(name, timers.globals[name])
  provide('tenantryPart', (name: string, factory: PartFactory): void => modules.load(name, factory))

  return (operation, argument) => {
    switch (operation) {
      case 'prepare':
        payloadText = argument
        payload = parse(argument) as GuestPayload
        deleteProperty(world, 'tenantryPart')
        prepare()
        return ''
      case 'check':
        return typeof handlerOf() === 'function' ? '' : missing()
      case 'start':
        start()
        return ''
      case 'tick':
        timers.tick()
        return ''
      case 'answer':
        modules.answer(argument)
        return ''
      case 'status':
        return status()
      case 'output':
        return api.commands()
      case 'cached':
        return cache.changes()
      case 'logs':
        return `[${lines}]`
      case 'failure':
        return failure
      default:
        return ''
    }
  }
}
