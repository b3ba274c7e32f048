import * as feross from 'buffer/'

/** The package knows every encoding of Node's but the one of JWTs. */
const { Buffer } = feross

const plain = (text: string): string =>
  text
    .replace(/={1,2}$/, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
const isUrlSafe = (encoding: unknown): boolean => typeof encoding === 'string' && /^base64url$/i.test(encoding)

const prototype = Buffer.prototype as unknown as Record<string, (...args: never[]) => unknown>
const statics = Buffer as unknown as Record<string, (...args: never[]) => unknown>

/** `at` is where the encoding stands among the arguments. */
function extend(target: typeof prototype, name: string, at: number, after: (value: unknown) => unknown): void {
  const original = target[name] as (this: unknown, ...args: unknown[]) => unknown
  const extended = function (this: unknown, ...args: unknown[]): unknown {
    // A string may also stand where an offset is expected, for the encoding.
    const found = args.findIndex((argument, index) => index >= Math.min(at, 1) && isUrlSafe(argument))
    if (found < 0 || found > at) return original.apply(this, args)
    return after(original.apply(this, args.toSpliced(found, 1, 'base64')))
  }
  Object.defineProperty(target, name, { value: extended, writable: true, configurable: true })
}

const same = (value: unknown): unknown => value
extend(prototype, 'toString', 0, (text) => plain(text as string))
extend(prototype, 'write', 3, same)
extend(statics, 'from', 1, same)
extend(statics, 'byteLength', 1, same)
extend(statics, 'isEncoding', 0, same)

// Its types leave them out.
const { SlowBuffer, kMaxLength } = feross as unknown as { SlowBuffer: typeof Buffer; kMaxLength: number }

type Buffer = feross.Buffer

export { Buffer, SlowBuffer }
export const globals = { Buffer }
export const modules = { buffer: { Buffer, SlowBuffer, kMaxLength } }
