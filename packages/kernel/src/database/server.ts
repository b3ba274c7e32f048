/**
 * A PostgreSQL server of the operator's (`DATABASE_URL`): is it there, new enough, and does the application get a role
 * that row-level security binds?
 */
import { createHash, createHmac, hkdfSync, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { defineProblems } from '../problem.ts'
import { parseAddress } from './address.ts'
import { verifyApplication } from './application-role.ts'
import { connect, type DatabaseUrls } from './database.ts'

export const problems = defineProblems({
  database_url_invalid: {
    status: 500,
    title: '{variable} is not a database URL; it looks like postgres://user:password@host:5432/database.',
  },
  database_unreachable: {
    status: 500,
    title: 'PostgreSQL does not answer at {place} ({reason}). Start it, or correct {variable}.',
  },
  database_refused: {
    status: 500,
    title: 'PostgreSQL at {place} refuses user {user}: {reason}. Correct {variable}.',
  },
  database_too_old: {
    status: 500,
    title: 'PostgreSQL at {place} has version {version}; Tenantry needs 15 or newer.',
  },
  database_role_needed: {
    status: 500,
    title:
      'User {owner} may not manage the application\'s role: {reason}. Either grant it that (alter role "{owner}" createrole), or create a login role without special rights and set DATABASE_APPLICATION_URL to its URL.',
  },
  database_differs: {
    status: 500,
    title:
      'DATABASE_URL names the database {owner} and DATABASE_APPLICATION_URL {application}; they must name the same one.',
  },
})

export interface ServerOptions {
  ownerUrl: string
  /** Of a role that the operator made. Without it the role `<database>_app` is made and kept. */
  applicationUrl?: string
  /** 32 bytes; the made role's password derives from it, so it is stored nowhere. */
  secret: Uint8Array
}

export interface PreparedServer {
  urls: DatabaseUrls
  /** Name of the application's role, for `grantApplication`. */
  role: string
}

const OLDEST = 150000
/** The settings that the two URLs come from, for messages. */
const OWNER = 'DATABASE_URL'
const APPLICATION = 'DATABASE_APPLICATION_URL'

/** @throws database_… or application_role_unsafe; none of the texts holds a password. */
export async function prepareServer({ ownerUrl, applicationUrl, secret }: ServerOptions): Promise<PreparedServer> {
  const { database } = await visit(ownerUrl, OWNER, checkVersion)
  const urls = { owner: ownerUrl, application: applicationUrl ?? (await makeRole(ownerUrl, database, secret)) }
  return visit(urls.application, APPLICATION, async (sql) => {
    await verifyApplication(sql)
    const [here] = await sql<Here[]>`select current_database() as database, current_user as role`
    if (here!.database !== database) {
      throw problems.database_differs({ facts: { owner: database, application: here!.database } })
    }
    return { urls, role: here!.role }
  })
}

interface Here {
  database: string
  role: string
}

async function checkVersion(sql: Sql, place: string): Promise<{ database: string }> {
  const [row] = await sql<{ number: number; version: string; database: string }[]>`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as version,
           current_database() as database`
  if (row!.number < OLDEST) throw problems.database_too_old({ facts: { place, version: row!.version } })
  return { database: row!.database }
}

/** Makes sure of the role `<database>_app` and returns its URL. A later start finds that it can log in, and is done. */
async function makeRole(ownerUrl: string, database: string, secret: Uint8Array): Promise<string> {
  const role = `${database}_app`
  const password = Buffer.from(hkdfSync('sha256', secret, 'tenantry', `database-role/${role}`, 24)).toString(
    'base64url',
  )
  const url = new URL(ownerUrl)
  url.username = encodeURIComponent(role)
  url.password = password
  if (await canLogIn(url.href)) return url.href
  await visit(ownerUrl, OWNER, async (sql) => {
    const [{ owner } = { owner: '' }] = await sql<{ owner: string }[]>`select current_user as owner`
    const exists = (await sql`select from pg_roles where rolname = ${role}`).length > 0
    // Altering names only what a CREATEROLE user may alter; the attributes are verified over the role's own connection.
    const statement = exists
      ? `alter role ${quote(role)} login password '${scramVerifier(password)}'`
      : `create role ${quote(role)} login nosuperuser nobypassrls nocreatedb nocreaterole noreplication password '${scramVerifier(password)}'`
    try {
      await sql.unsafe(statement)
      await sql`grant connect on database ${sql(database)} to ${sql(role)}`
    } catch (cause) {
      throw problems.database_role_needed({ facts: { owner, reason: (cause as Error).message }, cause })
    }
  })
  return url.href
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

async function canLogIn(url: string): Promise<boolean> {
  const sql = connect(url, 1)
  try {
    await sql`select 1`
    return true
  } catch {
    return false
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** What PostgreSQL stores (RFC 5803). Sent instead of the password, which a server may log with the statement. */
function scramVerifier(password: string): string {
  const iterations = 4096
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(keyed('Client Key')).digest()
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored.toString('base64')}:${keyed('Server Key').toString('base64')}`
}

/** One connection for `work`; what goes wrong in reaching the server becomes a sentence with host and port. */
async function visit<T>(text: string, variable: string, work: (sql: Sql, place: string) => Promise<T>): Promise<T> {
  const { place, user } = describe(text, variable)
  const sql = connect(text, 1)
  try {
    await sql`select 1`.catch((cause) => {
      throw unreachable(cause, { place, user, variable })
    })
    return await work(sql, place)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

function describe(text: string, variable: string): { place: string; user: string } {
  try {
    const { host } = parseAddress(text)
    const url = new URL(text)
    if (!/^postgres(ql)?:$/.test(url.protocol)) throw new Error(url.protocol)
    return { place: host ?? `${url.hostname}:${url.port || 5432}`, user: decodeURIComponent(url.username) }
  } catch {
    // The cause would quote the URL, and with it the password.
    throw problems.database_url_invalid({ facts: { variable } })
  }
}

function unreachable(cause: unknown, facts: { place: string; user: string; variable: string }) {
  const { code = '', message } = cause as { code?: string; message: string }
  // Class 28: authentication; 3D000: no such database; 42501: may not connect; 53300: too many connections.
  if (/^28|^3D|^42501/.test(code)) return problems.database_refused({ facts: { ...facts, reason: message }, cause })
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ENOTFOUND: 'unknown host',
    EAI_AGAIN: 'the name could not be looked up',
    ENOENT: 'no socket there',
    CONNECT_TIMEOUT: 'no answer within 10 seconds',
    ETIMEDOUT: 'no answer',
  }
  return problems.database_unreachable({ facts: { ...facts, reason: reasons[code] ?? message }, cause })
}
