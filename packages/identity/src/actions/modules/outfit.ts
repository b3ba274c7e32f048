import { randomBytes } from 'node:crypto'
import type { PartSource } from '../runner/messages.ts'
import { createBundles } from './bundles.ts'
import { partsOf } from './parts.ts'

/** What a run is given besides its event. */
export interface Outfit {
  /** The parts that its code names. */
  sources: readonly PartSource[]
  /** For random numbers, where the code may ask for some; of this run alone. */
  entropy: string | undefined
}

const NOTHING: Outfit = { sources: [], entropy: undefined }

export function createOutfitter(): (code: string) => Promise<Outfit> {
  const bundles = createBundles()
  return async (code) => {
    const names = partsOf(code)
    if (names.length === 0) return NOTHING
    const made = await bundles()
    // 32 bytes that nobody can guess, and a nonce of 16 (NIST SP 800-90A, 8.6.7).
    const entropy = names.includes('crypto') ? randomBytes(48).toString('hex') : undefined
    return { sources: names.map((name) => made.get(name)!), entropy }
  }
}
