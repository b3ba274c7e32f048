/** What our side of a customer's isolate lends to the parts; the bundler puts it around each of them. */
export interface Host {
  /** Asks the server to call out; both sides are JSON. `drop` breaks it off. */
  call(request: string): { answer: Promise<string>; drop(): void }
  /** Bytes of a body. */
  largest(): number
  /** Random bytes of this run, in hex. */
  entropy(): string
}
