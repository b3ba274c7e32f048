const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these end a header and begin another
const BAD_VALUE = /[\x00\r\n]|[^\x00-\xff]/

export type HeadersInit = Headers | Iterable<readonly [string, string]> | Record<string, unknown> | null | undefined

function nameOf(name: unknown): string {
  if (!NAME.test(String(name))) throw new TypeError(`Headers: ${JSON.stringify(String(name))} is no name of a header`)
  return String(name).toLowerCase()
}

/** Without the blanks of HTTP around it: fewer than `trim` takes. */
function trimmed(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && '\t\n\r '.includes(text[from]!)) from++
  while (to > from && '\t\n\r '.includes(text[to - 1]!)) to--
  return text.slice(from, to)
}

function textOf(name: unknown, value: unknown): string {
  const text = trimmed(String(value))
  if (BAD_VALUE.test(text))
    throw new TypeError(`Headers: the value of ${String(name)} holds a character that no header may hold`)
  return text
}

export class Headers {
  readonly #lists = new Map<string, string[]>()

  constructor(init?: HeadersInit) {
    if (init === null || init === undefined) return
    if (init instanceof Headers) for (const [name, values] of init.#lists) this.#lists.set(name, [...values])
    else if (Symbol.iterator in init)
      for (const [name, value] of init as Iterable<[string, string]>) this.append(name, value)
    else for (const name of Object.keys(init)) this.append(name, (init as Record<string, unknown>)[name])
  }
  append(name: unknown, value: unknown): void {
    const key = nameOf(name)
    this.#lists.set(key, [...(this.#lists.get(key) ?? []), textOf(name, value)])
  }
  set(name: unknown, value: unknown): void {
    this.#lists.set(nameOf(name), [textOf(name, value)])
  }
  get(name: unknown): string | null {
    return this.#lists.get(nameOf(name))?.join(', ') ?? null
  }
  has(name: unknown): boolean {
    return this.#lists.has(nameOf(name))
  }
  delete(name: unknown): void {
    this.#lists.delete(nameOf(name))
  }
  getSetCookie(): string[] {
    return [...(this.#lists.get('set-cookie') ?? [])]
  }
  forEach(call: (value: string, name: string, headers: Headers) => void, receiver?: unknown): void {
    for (const [name, value] of this) call.call(receiver, value, name, this)
  }
  *entries(): Generator<[string, string]> {
    for (const name of [...this.#lists.keys()].sort()) {
      const values = this.#lists.get(name)!
      if (name === 'set-cookie') for (const value of values) yield [name, value]
      else yield [name, values.join(', ')]
    }
  }
  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name
  }
  *values(): Generator<string> {
    for (const [, value] of this.entries()) yield value
  }
  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries()
  }
  get [Symbol.toStringTag](): string {
    return 'Headers'
  }
}
