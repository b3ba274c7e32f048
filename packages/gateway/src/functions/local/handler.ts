/**
 * Reads a `Handler` as Lambda's Node.js runtimes do: the module ends at the first dot of the last part of its path, so
 * the export may be a member of another, as in `src/notes.api.get`.
 *
 * @returns `null` when it is not written `module.export`
 */
export function splitHandler(handler: string): { module: string; exported: string } | null {
  const slash = handler.lastIndexOf('/') + 1
  const dot = handler.indexOf('.', slash)
  if (dot <= slash || dot === handler.length - 1) return null
  return { module: handler.slice(0, dot), exported: handler.slice(dot + 1) }
}
