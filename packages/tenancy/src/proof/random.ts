/** Numbers that look random and come again from the same seed, so that a run can be repeated. */
import { createHash } from 'node:crypto'

export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number
  text(length: number, alphabet?: string): string
  uuid(): string
}

const SMALL = 'abcdefghijkmnpqrstuvwxyz23456789'

export function createRandom(seed: string): Random {
  let block = Buffer.alloc(0)
  let blocks = 0
  const word = (): number => {
    if (block.length < 4) block = createHash('sha256').update(`${seed}:${blocks++}`).digest()
    const value = block.readUInt32LE(0)
    block = block.subarray(4)
    return value
  }
  const below = (limit: number): number => word() % limit
  const text = (length: number, alphabet = SMALL): string =>
    Array.from({ length }, () => alphabet[below(alphabet.length)]).join('')
  const uuid = (): string => {
    const hex = text(32, '0123456789abcdef')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  return { below, text, uuid }
}

/**
 * An id that has the form of a given one and belongs to nothing: the control of every question "does this exist?".
 * What all known ids begin with up to a separator (`prj_`) is kept, since it is checked before anything is looked up.
 */
export function similarId(id: string, known: readonly string[], random: Random): string {
  if (/^\d{1,9}$/.test(id)) return String(900_000_000 + random.below(99_999_999))
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return random.uuid()
  const kept = commonStart(id, known)
  const tail = id.slice(kept.length)
  const hex = /^[0-9a-f]+$/.test(tail)
  const rest = tail
    .replace(/[a-z]/g, () => random.text(1, hex ? 'abcdef' : 'abcdefghijklmnopqrstuvwxyz'))
    .replace(/[A-Z]/g, () => random.text(1, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'))
    .replace(/\d/g, () => random.text(1, '23456789'))
  return known.includes(kept + rest) || kept + rest === id ? similarId(id, [...known, id, 'x'], random) : kept + rest
}

function commonStart(id: string, known: readonly string[]): string {
  if (known.length < 2) return ''
  let end = id.length
  for (const other of known) while (!other.startsWith(id.slice(0, end))) end--
  return /^.*[_\-:.]/.exec(id.slice(0, end))?.[0] ?? ''
}
