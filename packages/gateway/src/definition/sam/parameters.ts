import { readParameters } from '../cloudformation/parameters.ts'
import { isMembers } from '../document.ts'
import type { Place } from '../report.ts'
import type { Variables } from '../variables.ts'

/** The value of a parameter for a reference to one; anything else as it is. */
export type Dereference = (value: unknown, place: Place) => unknown

/** SAM knows parameters where it has to know a value to make something of it: the path of a route, its authorizer. */
export function dereferenceIn(declared: unknown, given: Variables): Dereference {
  // What is wrong with their declarations is told when the template is read.
  const parameters = readParameters(declared, given, silence)
  return (value, place) => {
    if (!isMembers(value) || typeof value.Ref !== 'string' || !parameters.has(value.Ref)) return value
    return parameters.get(value.Ref)!(place)
  }
}

const nothing = (): void => undefined
const silence: Place = { at: '#', in: () => silence, info: nothing, warn: nothing, error: nothing }
