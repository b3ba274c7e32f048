import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { PartSource } from '../runner/messages.ts'
import type { ActionLogger } from '../runner-process.ts'
import { type Bundles, createBundles } from './bundles.ts'
import { partsOf } from './parts.ts'

/** What a run is given besides its event. */
export interface Outfit {
  /** The parts that its code names. */
  sources: readonly PartSource[]
  /** For random numbers, where the code may ask for some; of this run alone. */
  entropy: string | undefined
}

const NOTHING: Outfit = { sources: [], entropy: undefined }

/** @returns what code is given, unless it cannot be made; `key` names the code, which is read once for many runs */
export function createOutfitter(
  logger: ActionLogger,
  bundles: Bundles = createBundles(),
): (key: string, code: string) => Promise<Outfit | undefined> {
  const known = new LRUCache<string, string[]>({ max: 1000 })
  return async (key, code) => {
    const names = known.get(key) ?? partsOf(code)
    known.set(key, names)
    if (names.length === 0) return NOTHING
    const made = await bundles().catch((error: unknown) => {
      logger.error({ error }, 'the modules of Actions cannot be put together')
      return undefined
    })
    if (!made) return undefined
    // 32 bytes that nobody can guess, and a nonce of 16 (NIST SP 800-90A, 8.6.7).
    const entropy = names.includes('crypto') ? randomBytes(48).toString('hex') : undefined
    return { sources: names.map((name) => made.get(name)!), entropy }
  }
}
