import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { moduleNames, packages } from '../../actions/modules/parts.ts'
import type { DependencyInput } from './schema.ts'

/** As it was asked for, and shown again. */
export interface Dependency {
  name: string
  version: string
}

const refuse = (reason: string) => bodyProblems.invalid_body({ facts: { reason } })
const REGISTRY = /^https:\/\/registry\.npmjs\.org\/?$/

/** Of `1.7.9`, `^1.7`, `1.x` and the like; what names no number leaves the choice to us. */
const majorOf = (version: string): number | undefined => {
  const [, major] = /^[\^~=v\s]*(\d+)(?:$|[.\s-])/.exec(version) ?? []
  return major === undefined ? undefined : Number(major)
}

/**
 * Packages are those that are here, in the versions that are here: an action that needs another is refused before it
 * could fail at a sign-in.
 *
 * @throws Problem `invalid_body`
 */
export function readDependencies(asked: readonly DependencyInput[]): Dependency[] {
  return asked.map(({ name, version = 'latest', registry_url }, index) => {
    if (asked.findIndex((other) => other.name === name) !== index)
      throw refuse(`The dependency ${name} is given twice.`)
    if (registry_url && !REGISTRY.test(registry_url)) {
      throw refuse(`The dependency ${name} is asked from ${registry_url}: packages of other registries are not here.`)
    }
    if (!moduleNames.includes(name)) {
      throw refuse(
        `The dependency ${name} is not available. There are: ${moduleNames.join(', ')}. Put other code into the action.`,
      )
    }
    const majors = packages.get(name)
    const major = majorOf(version)
    const isLatest = version === '' || version === 'latest' || version === '*'
    if (majors && !isLatest && (major === undefined || !majors.includes(major))) {
      throw refuse(
        `The dependency ${name} is here as ${majors.map((each) => `${each}.x`).join(', ')}, not as ${version}.`,
      )
    }
    return { name, version }
  })
}
