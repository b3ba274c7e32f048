import ivm from 'isolated-vm'
import { guest } from './guest.ts'
import { guestApi } from './guest-api.ts'
import { guestCache } from './guest-cache.ts'
import { guestModules } from './guest-modules.ts'
import { guestTimers } from './guest-timers.ts'
import type { PartSource } from './messages.ts'
import { sessionTokens } from './session-tokens.ts'

/** Strict, so that no function of ours shows itself or its arguments to the guest through `caller`. */
const PIECES = Object.entries({ sessionTokens, guestCache, guestApi, guestTimers, guestModules })
const PRELUDE: PartSource = {
  name: 'tenantry',
  source: `'use strict';(${guest.toString()})({${PIECES.map(([name, piece]) => `${name}:${piece.toString()}`).join(',')}})`,
}
const MAX_IDLE = 64
/** Of all idle isolates together, half of what ends the process: those that have loaded modules weigh three times as much. */
const MAX_IDLE_BYTES = 256 * 1024 * 1024

/** A fresh V8 context with our side of the conversation: strings in, strings out. */
export interface Realm {
  context: ivm.Context
  entry: ivm.Reference<(operation: string, argument: string) => string>
}

export interface Compartment {
  readonly key: string
  readonly isolate: ivm.Isolate
  /** The compiled action, kept for the isolate's life. */
  script: ivm.Script | undefined
  /** Loaded into each realm before the action; compiled once for the isolate. */
  readonly parts: readonly PartSource[]
  readonly partScripts: Map<string, ivm.Script>
  runs: number
  /** What it held when it was last given back. */
  bytes: number
  memoryMb: number
  spare: Promise<Realm> | undefined
  onCatastrophe: () => void
}

async function createRealm({ isolate, parts, partScripts }: Compartment): Promise<Realm> {
  const context = await isolate.createContext()
  const scriptOf = async (part: PartSource): Promise<ivm.Script> => {
    const script = partScripts.get(part.name) ?? (await compilePart(isolate, part))
    partScripts.set(part.name, script)
    return script
  }
  const entry = await (await scriptOf(PRELUDE)).run(context, { reference: true })
  for (const part of parts) await (await scriptOf(part)).run(context)
  return { context, entry }
}

/** What V8 knows of our parts' texts from the isolate before. Never of customers' code, which could forge it. */
const compiled = new Map<string, ivm.ExternalCopy<ArrayBuffer>>()

async function compilePart(isolate: ivm.Isolate, { name, source }: PartSource): Promise<ivm.Script> {
  const cachedData = compiled.get(name)
  const script = await isolate.compileScript(source, {
    filename: `${name}.js`,
    ...(cachedData ? { cachedData } : { produceCachedData: true }),
  })
  const { cachedData: made } = script as { cachedData?: ivm.ExternalCopy<ArrayBuffer> }
  if (made) compiled.set(name, made)
  return script
}

function createCompartment(key: string, memoryMb: number, parts: readonly PartSource[]): Compartment {
  const compartment: Compartment = {
    key,
    isolate: new ivm.Isolate({ memoryLimit: memoryMb, onCatastrophicError: () => compartment.onCatastrophe() }),
    script: undefined,
    parts,
    partScripts: new Map(),
    runs: 0,
    bytes: 0,
    memoryMb,
    spare: undefined,
    onCatastrophe: () => {},
  }
  return compartment
}

/** The next realm: made off the path after the previous run, or now. */
export async function nextRealm(compartment: Compartment): Promise<Realm> {
  const realm = compartment.spare ?? createRealm(compartment)
  compartment.spare = undefined
  return realm
}

/**
 * Idle isolates by key, least recently used first out. One call has an isolate for itself: two calls in one would share
 * a CPU budget, and the fault of one would end both.
 */
export function createIsolates(): {
  /** @param parts decided by the code, which is in the key */
  take(key: string, memoryMb: number, parts: readonly PartSource[]): Compartment
  give(compartment: Compartment): Promise<void>
  drop(compartment: Compartment): void
} {
  const idle: Compartment[] = []
  const weight = (): number => idle.reduce((sum, { bytes }) => sum + bytes, 0)

  const drop = (compartment: Compartment): void => {
    compartment.spare?.catch(() => {})
    if (!compartment.isolate.isDisposed) compartment.isolate.dispose()
  }

  return {
    take(key, memoryMb, parts) {
      for (let index = idle.length - 1; index >= 0; index--) {
        const candidate = idle[index]!
        if (candidate.key !== key || candidate.memoryMb !== memoryMb) continue
        idle.splice(index, 1)
        if (!candidate.isolate.isDisposed) return candidate
      }
      return createCompartment(key, memoryMb, parts)
    },
    async give(compartment) {
      compartment.runs++
      try {
        // Released contexts are freed only by a later collection. Without this, the garbage of honest runs alone
        // exhausts the isolate, and an innocent action is stopped for it.
        const heap = await compartment.isolate.getHeapStatistics()
        if (heap.used_heap_size + heap.externally_allocated_size > compartment.memoryMb * 1024 * 512)
          return drop(compartment)
        compartment.bytes = heap.total_heap_size + heap.externally_allocated_size + heap.malloced_memory
      } catch {
        return drop(compartment)
      }
      compartment.spare = createRealm(compartment)
      compartment.spare.catch(() => {})
      idle.push(compartment)
      while (idle.length > MAX_IDLE || weight() > MAX_IDLE_BYTES) drop(idle.shift()!)
    },
    drop,
  }
}
