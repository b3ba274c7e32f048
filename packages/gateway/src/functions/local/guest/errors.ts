/** As Node prints it, with causes; what was thrown may be anything, and may throw itself when it is looked at. */
import { inspect } from 'node:util'

const longest = 64 * 1024

export function describeError(error: unknown): string {
  try {
    return inspect(error).slice(0, longest)
  } catch {
    return 'what was thrown cannot be printed'
  }
}
