import type { Environment, RequestEnvironment } from '../environments/environment.ts'
import { userinfoAudience } from '../resources/refresh-tokens/rules.ts'
import { problems } from './problems.ts'

const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })

/**
 * The API that a request is about. Where the environment says so, clients that know no `audience` (those of MCP servers) name
 * it by `resource` (RFC 8707).
 */
export const namedAudience = (
  { settings }: Pick<Environment, 'settings'>,
  { audience, resource }: Readonly<Record<string, string>>,
): string | undefined => (settings.resource_parameter_profile === 'compatibility' ? audience || resource : audience)

/**
 * The same of a request for a person, which may say that it is about none: `{issuer}userinfo`, as applications of Auth0 do.
 *
 * @returns null for no API, not the default either; undefined where nothing is said
 */
export const wantedAudience = (
  environment: Pick<RequestEnvironment, 'settings' | 'issuer'>,
  parameters: Readonly<Record<string, string>>,
): string | null | undefined => {
  const named = namedAudience(environment, parameters)
  return named === userinfoAudience(environment.issuer) ? null : named
}

/**
 * A text as bodies and queries hold it. What comes in a JWT or in base64 was not read by their rules, and PostgreSQL refuses
 * a NUL and half a surrogate pair.
 */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.isWellFormed() && !value.includes('\0')

/** The beginning of a text, without the half character that a cut may leave. */
export const beginning = (text: string, length: number): string => text.slice(0, length).toWellFormed()

/**
 * Parameters of a protocol endpoint: those of a form, of a JSON object, or of a query that was read already. One without a
 * value counts as one that was not sent (RFC 6749 §3.1, §3.2): SDKs and templates write `audience=` for nothing.
 *
 * @param objects members that may be objects; they are given back as JSON
 * @throws Problem `invalid_request`
 */
export function readParameters(body: unknown, objects: readonly string[] = []): Readonly<Record<string, string>> {
  const record: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(readForm(body, objects))) if (value !== '') record[name] = value
  return record
}

/**
 * Form and JSON bodies in one shape, as they were sent: what a person left empty in a form says something. SDKs of auth0
 * 2.x and 3.x send JSON, later ones forms; members that are no text (an array where a text is due: parameter pollution)
 * are refused.
 *
 * @param objects members that may be objects; they are given back as JSON
 * @throws Problem `invalid_request`
 */
export function readForm(body: unknown, objects: readonly string[] = []): Readonly<Record<string, string>> {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw refuse('Send the parameters as a form or as a JSON object.')
  }
  const record: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined) continue
    if (objects.includes(name) && typeof value === 'object') {
      record[name] = JSON.stringify(value)
      continue
    }
    if (typeof value !== 'string') throw refuse(`The parameter ${name.slice(0, 60)} must be a text.`)
    record[name] = value
  }
  return record
}
