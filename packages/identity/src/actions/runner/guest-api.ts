import type { GuestCache } from './guest-cache.ts'
import type { GuestPayload } from './messages.ts'
import type { SessionTokens } from './session-tokens.ts'

export interface GuestApi {
  build(facts: GuestPayload): Record<string, unknown>
  /** What was asked for, as JSON; empty when it was more than may ever be read. */
  commands(): string
}

/**
 * Runs INSIDE the customer's isolate and is passed as text, like `guest`: the `api` of an action, which records what it is
 * asked for.
 */
export function guestApi(
  tokens: SessionTokens,
  cache: GuestCache,
  payloadText: () => string,
  exported: () => Record<string, unknown>,
): GuestApi {
  const { parse, stringify } = JSON
  const { apply, defineProperty, deleteProperty } = Reflect
  const TypeErrorHere = TypeError
  const ErrorHere = Error
  const isFiniteNumber = Number.isFinite
  const keysOf = Object.keys
  const split = String.prototype.split
  let commands = ''
  let overflow = false

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

  const build = (facts: GuestPayload): Record<string, unknown> => {
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
    api.cache = cache.build(facts.cache ?? {})
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
      if (typeof exported()[continuation] !== 'function')
        throw new ErrorHere(`api.redirect.sendUserTo: the action exports no function ${continuation}`)
      return apply(record, undefined, args)
    }
    // The event is read anew: the action may have changed its own.
    const event = () => (parse(payloadText()) as GuestPayload).event
    redirect.encodeToken = (options: unknown) => tokens.encode(options, event())
    redirect.validateToken = (options: unknown) => tokens.validate(options, event())
  }

  return { build, commands: () => (overflow ? '' : `[${commands}]`) }
}
