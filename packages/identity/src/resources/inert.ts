/**
 * Settings that Auth0 has and that have no effect here. Bodies made by SDKs and configuration exports carry them, mostly
 * at the value that changes nothing; at exactly that value they are accepted. Any other value would be a promise that
 * nobody keeps, so it is refused by name.
 */
import { isDeepStrictEqual } from 'node:util'
import Type, { type TOptional, type TUnknown } from 'typebox'
import { problems } from './management-api.ts'

/** Says whether a value changes nothing. */
type Inert = (value: unknown) => boolean

export const only =
  (...values: unknown[]): Inert =>
  (value) =>
    values.some((inert) => isDeepStrictEqual(inert, value))

/** An object whose switches are off, whatever else it holds: `{enable: false, size: 5}`. */
export const off =
  (...switches: string[]): Inert =>
  (value) =>
    value === null || (isObject(value) && switches.every((name) => value[name] !== true))

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Schema members for a table of inert settings. */
export const inertMembers = <Name extends string>(table: Record<Name, Inert>) =>
  Object.fromEntries(Object.keys(table).map((name) => [name, Type.Optional(Type.Unknown())])) as unknown as Record<
    Name,
    TOptional<TUnknown>
  >

/** @throws Problem `operation_not_supported` naming the first setting that would need an effect. */
export function refuseActive(table: Record<string, Inert>, body: object, where = ''): void {
  for (const [name, value] of Object.entries(body)) {
    const inert = Object.hasOwn(table, name) ? table[name] : undefined
    if (inert && !inert(value)) throw unsupported(`${where}${name}`)
  }
}

export const unsupported = (setting: string) =>
  problems.operation_not_supported({
    facts: { what: `The setting '${setting}' is not supported with this value. Leave it out.` },
  })
