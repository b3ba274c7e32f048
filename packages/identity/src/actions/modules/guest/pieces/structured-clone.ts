import { DOMException } from './dom-exception.ts'

/** Copies what JSON can hold and what people expect beside it: dates, maps, sets, buffers, errors, cycles. */
export function structuredClone(value: unknown): unknown {
  const seen = new Map<object, unknown>()
  const copy = (it: unknown): unknown => {
    if (typeof it === 'function' || typeof it === 'symbol')
      throw new DOMException(`${String(it)} could not be cloned.`, 'DataCloneError')
    if (typeof it !== 'object' || it === null) return it
    const known = seen.get(it)
    if (known !== undefined) return known
    const keep = <T>(made: T): T => {
      seen.set(it, made)
      return made
    }
    if (it instanceof Date) return keep(new Date(it.getTime()))
    if (it instanceof RegExp) return keep(new RegExp(it.source, it.flags))
    if (it instanceof ArrayBuffer) return keep(it.slice(0))
    if (ArrayBuffer.isView(it)) {
      const buffer = copy(it.buffer) as ArrayBuffer
      if (it instanceof DataView) return keep(new DataView(buffer, it.byteOffset, it.byteLength))
      const { name } = it.constructor as { name: string }
      const Kind = (globalThis as unknown as Record<string, Uint8ArrayConstructor>)[
        name === 'Buffer' ? 'Uint8Array' : name
      ]!
      return keep(new Kind(buffer, it.byteOffset, (it as Uint8Array).length))
    }
    if (it instanceof Map) {
      const map = keep(new Map())
      for (const [key, inner] of it) map.set(copy(key), copy(inner))
      return map
    }
    if (it instanceof Set) {
      const set = keep(new Set())
      for (const inner of it) set.add(copy(inner))
      return set
    }
    if (it instanceof Error) {
      const made = keep(new Error(it.message))
      made.name = it.name
      if (it.stack !== undefined) made.stack = it.stack
      return made
    }
    const into = keep(Array.isArray(it) ? new Array(it.length) : {}) as Record<string, unknown>
    for (const key of Object.keys(it)) {
      const inner = copy((it as Record<string, unknown>)[key])
      Object.defineProperty(into, key, { value: inner, writable: true, enumerable: true, configurable: true })
    }
    return into
  }
  return copy(value)
}
