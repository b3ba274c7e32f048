const CODES: Record<string, number> = { InvalidCharacterError: 5, AbortError: 20, TimeoutError: 23, DataCloneError: 25 }

/** What web APIs throw; told apart by its name. */
export class DOMException extends Error {
  readonly code: number
  constructor(message = '', name = 'Error') {
    super(message)
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true })
    this.code = CODES[name] ?? 0
  }
}
