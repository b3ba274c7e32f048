import { pathToFileURL } from 'node:url'

export type Handler = (
  event: unknown,
  context: object,
  callback: (error?: unknown, result?: unknown) => void,
) => unknown

/**
 * Loads a module of either kind, TypeScript included, and finds its handler.
 *
 * @param name of the export; `a.b` is a member of an export
 * @throws Error saying what there is instead
 */
export async function loadHandler(file: string, name: string): Promise<Handler> {
  refuseStreaming()
  const module: Members = await import(pathToFileURL(file).href)
  // The names of a CommonJS module are found by reading its text, which does not find all; its value has them all.
  const found = member(module, name) ?? (isMembers(module.default) ? member(module.default, name) : undefined)
  if (typeof found === 'function') return found as Handler
  const names = Object.keys(isMembers(module.default) ? { ...module.default, ...module } : module)
  throw new Error(`${file} has no function "${name}": it exports ${names.join(', ') || 'nothing'}`)
}

type Members = Record<string, unknown>

const isMembers = (value: unknown): value is Members =>
  (typeof value === 'object' || typeof value === 'function') && value !== null

function member(value: Members, name: string): unknown {
  let found: unknown = value
  for (const part of name.split('.')) found = isMembers(found) ? found[part] : undefined
  return found
}

// Lambda's runtime has it as a global. An HTTP API waits for the whole answer and would not know what to do with one.
function refuseStreaming(): void {
  const streamifyResponse = (): never => {
    throw new Error(
      'awslambda.streamifyResponse cannot be used here: HTTP APIs send whole answers only. Export a handler that returns its answer.',
    )
  }
  // AWS's SDK keeps what belongs to an invocation there.
  Object.assign(globalThis, { awslambda: { streamifyResponse } })
}
