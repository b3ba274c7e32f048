/** What a new directory gets: passwords, a database cluster, the two roles and the database. */
import { randomBytes } from 'node:crypto'
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { connect, type DatabaseUrls } from '../database.ts'
import { makePrivate, type Place } from './place.ts'
import { type Endpoint, runToEnd } from './postmaster.ts'
import { problems } from './problems.ts'

const SUPERUSER = 'postgres'
const OWNER = 'tenantry_owner'
const APPLICATION = 'tenantry_app'
const PROVISIONER = 'tenantry_provisioner'
const DATABASE = 'tenantry'

/** Passwords of the three roles. Kept beside the lock, readable by the process's own user only. */
export interface Passwords {
  superuser: string
  owner: string
  application: string
}

/** Reads the directory's passwords, or makes them. @throws embedded_incomplete when they are lost or unreadable. */
export function keepPasswords(directory: string): Passwords {
  const file = join(directory, 'passwords.json')
  if (existsSync(file)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Passwords
    } catch (cause) {
      throw problems.embedded_incomplete({ facts: { directory, reason: `${file} cannot be read` }, cause })
    }
  }
  if (existsSync(join(directory, 'data')) || existsSync(join(directory, 'place'))) {
    throw problems.embedded_incomplete({ facts: { directory, reason: `${file} is missing` } })
  }
  const make = () => randomBytes(24).toString('base64url')
  const passwords = { superuser: make(), owner: make(), application: make() }
  writeFileSync(`${file}.new`, JSON.stringify(passwords), { mode: 0o600, flush: true })
  renameSync(`${file}.new`, file)
  return passwords
}

/**
 * Creates the cluster in a side directory and renames it when whole, so a start that was interrupted leaves nothing
 * that looks like a database. The locale is PostgreSQL's own C.UTF-8: an index never depends on the sort order of an
 * operating system, which changes with upgrades.
 */
export async function createCluster(place: Place, passwords: Passwords): Promise<void> {
  const unfinished = join(place.base, 'data.unfinished')
  const passwordFile = join(place.base, 'password.tmp')
  rmSync(unfinished, { recursive: true, force: true })
  rmSync(passwordFile, { force: true })
  writeFileSync(passwordFile, `${passwords.superuser}\n`, { mode: 0o600, flag: 'wx' })
  if (place.account) chownSync(passwordFile, place.account.uid, place.account.gid)
  makePrivate(unfinished, place.account)
  try {
    await runToEnd(
      place,
      'initdb',
      [
        ...['-D', unfinished, '-U', SUPERUSER, '--pwfile', passwordFile, '--auth=scram-sha-256', '--encoding=UTF8'],
        ...[
          '--locale=C',
          '--locale-provider=builtin',
          '--builtin-locale=C.UTF-8',
          '--data-checksums',
          '--no-instructions',
        ],
      ],
      'Creating the database',
    )
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(unfinished, place.data)
  syncDirectory(place.base)
}

/** A rename is durable only once its directory is: without this a power cut could bring back the unfinished name. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(path, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

/** Creates what is missing of the roles and the database; on later starts one query that finds all there. */
export async function completeCluster(endpoint: Endpoint, passwords: Passwords): Promise<DatabaseUrls> {
  const sql = connect(url(endpoint, SUPERUSER, passwords.superuser, 'postgres'), 1)
  const provisioner = randomBytes(24).toString('base64url')
  try {
    const rows = await sql<{ name: string }[]>`
      select rolname as name from pg_roles where rolname in (${OWNER}, ${APPLICATION}, ${PROVISIONER})
      union all select datname from pg_database where datname = ${DATABASE}`
    const present = new Set(rows.map((row) => row.name))
    const limits = 'login nosuperuser nobypassrls nocreatedb nocreaterole noreplication'
    if (!present.has(OWNER)) await sql.unsafe(`create role ${OWNER} ${limits} password '${passwords.owner}'`)
    if (!present.has(APPLICATION)) {
      await sql.unsafe(`create role ${APPLICATION} ${limits} password '${passwords.application}'`)
    }
    // Makes databases and roles for those who keep tenants apart that way. Its password is of this start alone.
    const makes = 'login nosuperuser nobypassrls createdb createrole noreplication'
    if (present.has(PROVISIONER)) await sql.unsafe(`alter role ${PROVISIONER} password '${provisioner}'`)
    else {
      await sql.unsafe(`create role ${PROVISIONER} ${makes} password '${provisioner}'`)
      // To give a database to the owner, one must be able to be it.
      await sql.unsafe(`grant ${OWNER} to ${PROVISIONER}`)
    }
    if (!present.has(DATABASE)) {
      await sql.unsafe(`create database ${DATABASE} owner ${OWNER}`)
      // Since PostgreSQL 15 only the owner creates objects in public; nobody else may even connect.
      await sql.unsafe(`revoke all on database ${DATABASE} from public`)
      await sql.unsafe(`grant connect on database ${DATABASE} to ${APPLICATION}`)
    }
  } finally {
    await sql.end({ timeout: 5 })
  }
  return {
    owner: url(endpoint, OWNER, passwords.owner, DATABASE),
    application: url(endpoint, APPLICATION, passwords.application, DATABASE),
    provisioner: url(endpoint, PROVISIONER, provisioner, 'postgres'),
  }
}

/** libpq's form for a socket: the directory as a parameter, which overrides the name in front. */
function url({ host, port }: Endpoint, user: string, password: string, database: string): string {
  const base = `postgres://${user}:${password}@`
  return host.startsWith('/')
    ? `${base}localhost:${port}/${database}?host=${encodeURIComponent(host)}`
    : `${base}${host}:${port}/${database}`
}
