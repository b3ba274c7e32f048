import ivm from 'isolated-vm'
import { guest } from './guest.ts'
import { sessionTokens } from './session-tokens.ts'

/** Strict, so that no function of ours shows itself or its arguments to the guest through `caller`. */
const PRELUDE = `'use strict';(${guest.toString()})(${sessionTokens.toString()})`
const MAX_IDLE = 64

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
  runs: number
  memoryMb: number
  spare: Promise<Realm> | undefined
  onCatastrophe: () => void
}

async function createRealm(isolate: ivm.Isolate): Promise<Realm> {
  const context = await isolate.createContext()
  const entry = await context.eval(PRELUDE, { reference: true, filename: 'tenantry.js' })
  return { context, entry }
}

function createCompartment(key: string, memoryMb: number): Compartment {
  const compartment: Compartment = {
    key,
    isolate: new ivm.Isolate({ memoryLimit: memoryMb, onCatastrophicError: () => compartment.onCatastrophe() }),
    script: undefined,
    runs: 0,
    memoryMb,
    spare: undefined,
    onCatastrophe: () => {},
  }
  return compartment
}

/** The next realm: made off the path after the previous run, or now. */
export async function nextRealm(compartment: Compartment): Promise<Realm> {
  const realm = compartment.spare ?? createRealm(compartment.isolate)
  compartment.spare = undefined
  return realm
}

/**
 * Idle isolates by key, least recently used first out. One call has an isolate for itself: two calls in one would share
 * a CPU budget, and the fault of one would end both.
 */
export function createIsolates(): {
  take(key: string, memoryMb: number): Compartment
  give(compartment: Compartment): Promise<void>
  drop(compartment: Compartment): void
} {
  const idle: Compartment[] = []

  const drop = (compartment: Compartment): void => {
    compartment.spare?.catch(() => {})
    if (!compartment.isolate.isDisposed) compartment.isolate.dispose()
  }

  return {
    take(key, memoryMb) {
      for (let index = idle.length - 1; index >= 0; index--) {
        const candidate = idle[index]!
        if (candidate.key !== key || candidate.memoryMb !== memoryMb) continue
        idle.splice(index, 1)
        if (!candidate.isolate.isDisposed) return candidate
      }
      return createCompartment(key, memoryMb)
    },
    async give(compartment) {
      compartment.runs++
      try {
        // Released contexts are freed only by a later collection. Without this, the garbage of honest runs alone
        // exhausts the isolate, and an innocent action is stopped for it.
        const heap = await compartment.isolate.getHeapStatistics()
        if (heap.used_heap_size + heap.externally_allocated_size > compartment.memoryMb * 1024 * 512)
          return drop(compartment)
      } catch {
        return drop(compartment)
      }
      compartment.spare = createRealm(compartment.isolate)
      compartment.spare.catch(() => {})
      idle.push(compartment)
      if (idle.length > MAX_IDLE) drop(idle.shift()!)
    },
    drop,
  }
}
