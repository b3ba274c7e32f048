export interface GuestModules {
  /** What the text of a part calls with itself; gone before the action's own code is loaded. */
  load(name: string, factory: PartFactory): void
  require(id: unknown): unknown
  /** What is to be told to the server next: `call:` with JSON, `drop:` with the number of a call, or nothing. */
  next(): string
  isWaiting(): boolean
  /** The number of a call in the order of handing out, a space, and what the server answered. */
  answer(text: string): void
}

/** What comes with the payload, and is not known before. */
export interface GuestFacts {
  modules: readonly string[]
  callBytes: number
  entropy?: string | undefined
}

export type PartFactory = (
  require: (name: string) => unknown,
  module: { exports: Record<string, unknown> },
  exports: Record<string, unknown>,
  host: {
    call(request: string): { answer: Promise<string>; drop(): void }
    largest(): number
    entropy(): string
  },
) => void

/**
 * Runs INSIDE the customer's isolate and is passed as text, like `guest`: the parts that an action uses, and the calls
 * that wait for the server. Nothing of the host is in reach; calls leave as text and answers arrive as text.
 */
export function guestModules(provide: (name: string, value: unknown) => void, facts: () => GuestFacts): GuestModules {
  const { apply } = Reflect
  const { parse, stringify } = JSON
  const { replace, indexOf, slice, split } = String.prototype
  const join = Array.prototype.join
  const hasOwn = Object.hasOwn
  const ErrorHere = Error
  const PromiseHere = Promise
  const text = String
  const TypeErrorHere = TypeError
  /** The runner refuses somewhat less. Far more, which the action can have written in the place of ours, must not be copied out to it. */
  const MAX_REQUEST_CHARS = 2_000_000
  const loaded: Record<string, unknown> = { __proto__: null }
  const modules: Record<string, unknown> = { __proto__: null }
  const unsent: { request: string; settle: (answer: string) => void; number: number; isDropped: boolean }[] = []
  const dropped: number[] = []
  const waiting = new Map<number, (answer: string) => void>()
  const remember = waiting.set.bind(waiting)
  const recall = waiting.get.bind(waiting)
  const forget = waiting.delete.bind(waiting)
  let handed = 0
  let taken = 0
  let toldDropped = 0
  let open = 0

  const host = {
    call(written: string) {
      const request = text(written)
      if (request.length > MAX_REQUEST_CHARS) throw new TypeErrorHere('fetch failed: the request is too large')
      const call = { request, settle: (_: string) => {}, number: 0, isDropped: false }
      const answer = new PromiseHere<string>((settle) => {
        call.settle = settle
      })
      unsent[unsent.length] = call
      const drop = (): void => {
        if (call.isDropped) return
        call.isDropped = true
        // One that waits is not waited for any more; one that was never handed out never is.
        if (call.number > 0 && recall(call.number)) {
          forget(call.number)
          open--
          dropped[dropped.length] = call.number
        }
      }
      return { answer, drop }
    },
    largest: () => facts().callBytes,
    entropy: (): string => {
      const { entropy } = facts()
      if (entropy === undefined)
        throw new ErrorHere('There are no random numbers while the code is loaded for a check.')
      return entropy
    },
  }

  /** `lodash/get` is a property of `lodash`. */
  const memberOf = (name: string): unknown => {
    const [first, member, ...rest] = apply(split, name, ['/']) as string[]
    const found = modules[first!] as Record<string, unknown> | undefined
    return first === 'lodash' && member && rest.length === 0 && found && hasOwn(found, member)
      ? found[member]
      : undefined
  }

  return {
    load(name, factory) {
      const module = { exports: {} as Record<string, unknown> }
      factory((other) => loaded[other], module, module.exports, host)
      loaded[name] = module.exports
      const { globals = {}, modules: named = {} } = module.exports as Record<string, Record<string, unknown>>
      for (const key in globals) provide(key, globals[key])
      for (const key in named) modules[key] = named[key]
    },
    require(id) {
      const name = apply(replace, text(id), [/^node:/, '']) as string
      const found = modules[name] ?? memberOf(name)
      if (found !== undefined) return found
      const known = facts().modules
      for (let index = 0; index < known.length; index++)
        if (known[index] === name)
          throw new ErrorHere(
            `require(${stringify(text(id))}) is refused: write the name of the module as a literal text`,
          )
      throw new ErrorHere(
        `require(${stringify(text(id))}) is refused: there is no such module here. There are: ${apply(join, known, [', '])}`,
      )
    },
    next() {
      if (toldDropped < dropped.length) return `drop:${dropped[toldDropped++]}`
      while (taken < unsent.length) {
        const next = unsent[taken]!
        unsent[taken++] = undefined as never
        if (next.isDropped) continue
        next.number = ++handed
        remember(handed, next.settle)
        open++
        return `call:${next.request}`
      }
      return ''
    },
    isWaiting: () => open > 0,
    answer(argument) {
      const space = apply(indexOf, argument, [' ']) as number
      const number = parse(apply(slice, argument, [0, space]) as string) as number
      const settle = recall(number)
      if (!settle) return
      forget(number)
      open--
      settle(apply(slice, argument, [space + 1]) as string)
    },
  }
}
