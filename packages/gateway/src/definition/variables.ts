import { resolveStageVariables } from '../integrations/uri.ts'
import type { Place } from './report.ts'

export type Variables = Readonly<Record<string, string>>

const variable = /\$\{([A-Za-z0-9_:.]+)\}/g

/**
 * Fills `${name}` in every text of a document, after parsing, so that no value can change the document's structure.
 * Unknown names stay as they are: most texts are documentation, and the places that matter check for leftovers.
 */
export function fillVariables(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') {
    return value.replace(variable, (whole, name: string) => (Object.hasOwn(variables, name) ? variables[name]! : whole))
  }
  if (Array.isArray(value)) return value.map((item) => fillVariables(item, variables))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fillVariables(item, variables)]))
}

/**
 * A text in which every variable must have been filled; stage variables are resolved now.
 *
 * @param stageVariables `null`: not known yet, so none may be used
 */
export function resolvedText(value: unknown, stageVariables: Variables | null, place: Place): string | null {
  if (typeof value !== 'string' || value === '') {
    place.error('must be a non-empty text')
    return null
  }
  try {
    const text = stageVariables === null ? value : resolveStageVariables(value, stageVariables)
    if (text.includes('{{resolve:')) {
      place.error(`"${text}" is looked up by AWS: make it a parameter, and pass its value to the import`)
      return null
    }
    if (!text.includes('${')) return text
    place.error(`"${text}" holds a variable without a value: pass it to the import`)
  } catch (error) {
    place.error(error instanceof Error ? error.message : String(error))
  }
  return null
}
