/** What packages and people take from Node's `util`, as far as it is here. */
type Callback = (error: unknown, value?: unknown) => void
type WithCallback = (this: unknown, ...args: unknown[]) => void

export const promisify =
  (work: WithCallback) =>
  (...args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const done: Callback = (error, value) => (error ? reject(error) : resolve(value))
      work(...args, done)
    })

export function inherits(child: { prototype: object }, parent: { prototype: object }): void {
  Object.setPrototypeOf(child.prototype, parent.prototype)
}

/** `%s`, `%d` and `%j`; what is left over follows. */
export function format(first: unknown, ...rest: unknown[]): string {
  const values = [...rest]
  const take = (placeholder: string): string => {
    if (placeholder === '%%') return '%'
    if (values.length === 0) return placeholder
    const value = values.shift()
    return placeholder === '%j' ? String(JSON.stringify(value)) : String(placeholder === '%d' ? Number(value) : value)
  }
  return [String(first).replace(/%[sdj%]/g, take), ...values.map(String)].join(' ')
}
