import type { Desk } from '../desk.ts'

export interface Setup<Names> {
  /** What the example is given besides the desk, or instead of what is there. */
  given?: (desk: Desk) => Names | Promise<Names>
  /** @param made what the example declares */
  // biome-ignore lint/suspicious/noExplicitAny: an example may declare anything.
  verify?: (all: Desk & Names, made: any) => unknown
  /** Why the example cannot run here; false where it can. */
  skip?: string | false
}

export const setup = <Names extends object>(one: Setup<Names>): Setup<Names> => one
