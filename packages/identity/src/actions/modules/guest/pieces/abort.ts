import { DOMException } from '../encoding.ts'

type Listener = ((event: AbortEvent) => void) | { handleEvent(event: AbortEvent): void }
interface AbortEvent {
  type: 'abort'
  target: AbortSignal
}

let isMaking = false
const make = (): AbortSignal => {
  isMaking = true
  try {
    return new AbortSignal()
  } finally {
    isMaking = false
  }
}
const abortError = () => new DOMException('This operation was aborted', 'AbortError')

export class AbortSignal {
  aborted = false
  reason: unknown = undefined
  onabort: Listener | null = null
  #listeners = new Map<Listener, boolean>()

  constructor() {
    if (!isMaking) throw new TypeError('Illegal constructor')
  }
  addEventListener(type: string, listener: Listener | null, options?: { once?: boolean } | boolean): void {
    if (type !== 'abort' || !listener) return
    this.#listeners.set(listener, typeof options === 'object' && options?.once === true)
  }
  removeEventListener(_type: string, listener: Listener): void {
    this.#listeners.delete(listener)
  }
  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }
  /** For controllers and timers; an abort happens once. */
  static end(signal: AbortSignal, reason: unknown): void {
    if (signal.aborted) return
    signal.aborted = true
    signal.reason = reason === undefined ? abortError() : reason
    const event: AbortEvent = { type: 'abort', target: signal }
    const all = [...(signal.onabort ? [signal.onabort] : []), ...signal.#listeners.keys()]
    signal.#listeners.clear()
    for (const listener of all)
      if (typeof listener === 'function') listener.call(signal, event)
      else listener.handleEvent(event)
  }
  static abort(reason?: unknown): AbortSignal {
    const signal = make()
    AbortSignal.end(signal, reason)
    return signal
  }
  static timeout(ms: number): AbortSignal {
    const signal = make()
    const late = () =>
      AbortSignal.end(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    // It keeps nobody waiting who does not wait for what it ends.
    setTimeout(late, ms)
    return signal
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const signal = make()
    for (const other of signals) {
      if (other.aborted) AbortSignal.end(signal, other.reason)
      else other.addEventListener('abort', () => AbortSignal.end(signal, other.reason), { once: true })
    }
    return signal
  }
}

export class AbortController {
  readonly signal = make()
  abort(reason?: unknown): void {
    AbortSignal.end(this.signal, reason)
  }
}
