import { type MappingFinding, readRequestRules, readResponseRules } from '../mapping/rules.ts'

export type MappingKind = 'request' | 'response'

/**
 * Checks the keys and values of one mapping, by the reading that executes it: what passes here works there.
 *
 * @param parameters key (`append:header.x`, `overwrite:path`, …) to value (`$request.header.y`, a composition of
 *   `${request.path}` and text, or static text)
 * @returns what is wrong; empty when nothing is
 */
export const checkMapping = (
  kind: MappingKind,
  parameters: Readonly<Record<string, string>>,
): readonly MappingFinding[] => readMapping(kind, parameters).faults

/** What works and is hardly meant. */
export const mappingWarnings = (
  kind: MappingKind,
  parameters: Readonly<Record<string, string>>,
): readonly MappingFinding[] => readMapping(kind, parameters).warnings

const readMapping = (kind: MappingKind, parameters: Readonly<Record<string, string>>) =>
  kind === 'request' ? readRequestRules(parameters) : readResponseRules(parameters)
