import { isMembers, members } from '../document.ts'
import type { Place } from '../report.ts'
import type { Variables } from '../variables.ts'

/** The value of a parameter, with a complaint at the place that needs one that has none. */
export type Parameter = (place: Place) => unknown

/** Reads `Parameters`: given values before defaults. */
export function readParameters(value: unknown, given: Variables, place: Place): ReadonlyMap<string, Parameter> {
  const declared = value === undefined ? {} : (members(value, place) ?? {})
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declared, name)) place.error(`"${name}" is given a value, and no parameter has that name`)
  }
  return new Map(
    Object.entries(declared).map(([name, item]) => [name, readParameter(name, item, given[name], place.in(name))]),
  )
}

function readParameter(name: string, value: unknown, given: string | undefined, place: Place): Parameter {
  const parameter = isMembers(value) ? value : {}
  const type = String(parameter.Type)
  // Their default is the name of a value in a store that is not there.
  const isStored = type.startsWith('AWS::SSM::')
  const text = given ?? (isStored || parameter.Default === undefined ? undefined : String(parameter.Default))
  if (text === undefined) {
    return (at) => {
      at.error(`the parameter "${name}" has no value: pass one to the import`)
      return `\${${name}}`
    }
  }
  const { AllowedValues: allowed } = parameter
  if (Array.isArray(allowed) && !allowed.map(String).includes(text)) {
    place.error(`"${text}" is none of the values that are allowed: ${allowed.map(String).join(', ')}`)
  }
  const isList = type === 'CommaDelimitedList' || type.includes('List<')
  const result = isList ? text.split(',').map((item) => item.trim()) : text
  return () => result
}
