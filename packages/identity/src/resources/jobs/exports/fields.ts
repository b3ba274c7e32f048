/** Which parts of a user an export shows: paths such as `email`, `user_metadata.plan` and `identities[0].connection`. */
import { isObject } from '../../inert.ts'
import { problems } from '../rules.ts'
import type { CreateExport, ExportSettings } from '../schema.ts'

export interface Field {
  title: string
  path: (string | number)[]
}

/** What is exported when nothing is asked for: the profile, and where it comes from. */
const DEFAULTS = [
  ...['user_id', 'email', 'email_verified', 'name', 'given_name', 'family_name', 'nickname', 'picture'],
  ...['created_at', 'updated_at'],
]
const KNOWN = new Set([
  ...DEFAULTS,
  ...['username', 'phone_number', 'phone_verified'],
  ...['identities', 'user_metadata', 'app_metadata', 'blocked', 'last_password_reset', 'last_login', 'last_ip'],
  'logins_count',
])
const OBJECTS = new Set(['user_metadata', 'app_metadata', 'identities'])
const CSV_FIELDS = 30

/** @throws Problem `invalid_body` for what no user has, and for what a table cannot show */
export function settingsOf({ format = 'json', limit, fields }: CreateExport): ExportSettings {
  // The schema has checked it; its type is only wider.
  const settings = { format: format as ExportSettings['format'], limit: limit ?? null, fields: fields ?? null }
  const read = fieldsOf(settings)
  if (new Set(read.map(({ title }) => title)).size < read.length) throw refuse('two fields have the same title')
  if (format === 'csv') {
    if (read.length > CSV_FIELDS) throw refuse(`CSV exports have at most ${CSV_FIELDS} fields`)
    const whole = read.find(({ path }) => path.length === 1 && OBJECTS.has(path[0] as string))
    if (whole) throw refuse(`'${whole.path[0]}' is an object; name a field of it, or export as JSON`)
  }
  return settings
}

const refuse = (reason: string) => problems.invalid_body({ facts: { reason: `${reason}.` } })

/** @throws Problem `invalid_body` */
export function fieldsOf({ fields }: Pick<ExportSettings, 'fields'>): Field[] {
  if (fields) return fields.map(({ name, export_as }) => ({ title: export_as ?? name, path: pathOf(name) }))
  return [
    ...DEFAULTS.map((name) => ({ title: name, path: [name] })),
    { title: 'connection', path: ['identities', 0, 'connection'] },
  ]
}

function pathOf(name: string): (string | number)[] {
  if (!/^[^.[\]\0]+(\.[^.[\]\0]+|\[\d{1,4}\])*$/u.test(name)) throw refuse(`'${name}' is no path`)
  const path = [...name.matchAll(/[^.[\]]+/gu)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part))
  if (!KNOWN.has(String(path[0]))) throw refuse(`users have no field '${path[0]}'`)
  return path
}

/** Own members only: a path never reaches what objects inherit. */
export function valueAt(user: unknown, path: (string | number)[]): unknown {
  let value = user
  for (const part of path) {
    if (Array.isArray(value)) value = typeof part === 'number' ? value[part] : undefined
    else value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined
  }
  return value
}
