/** A migrated database for a test run, with the roles of production: tests as the owner would prove nothing. */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { bringUpToDate, type SchemaSource } from '@tenantry/kernel/database/migrate.ts'
import { prepareServer } from '@tenantry/kernel/database/server.ts'

export interface TestDatabase {
  urls: DatabaseUrls & { administrator: string }
  close(): Promise<void>
}

export interface TestDatabaseOptions {
  /** An administrator's URL of a running server; without it an embedded one starts. */
  serverUrl: string | undefined
  schemas: readonly SchemaSource[]
}

export async function openTestDatabase({ serverUrl, schemas }: TestDatabaseOptions): Promise<TestDatabase> {
  const database = serverUrl ? await createOnServer(serverUrl) : await createEmbedded()
  try {
    const { owner, application } = database.urls
    await bringUpToDate(owner, decodeURIComponent(new URL(application).username), schemas)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

async function createEmbedded(): Promise<TestDatabase> {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-test-'))
  // Started by root, PostgreSQL runs as nobody and must be able to pass.
  chmodSync(directory, 0o711)
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    // Loopback, because the tenancy kit's tests, like a customer's, hand the URL to the driver, which knows no sockets in it.
    const { urls, stop } = await startEmbedded({ directory, transport: 'tcp' })
    const { superuser } = JSON.parse(readFileSync(join(directory, 'passwords.json'), 'utf8')) as { superuser: string }
    const administrator = new URL(urls.owner)
    Object.assign(administrator, { username: 'postgres', password: superuser, pathname: '/postgres' })
    await neverWaitForTheDisk(administrator.href)
    return { urls: { ...urls, administrator: administrator.href }, close: () => stop().finally(remove) }
  } catch (error) {
    remove()
    throw error
  }
}

/** Nothing of it outlives the run, and a test spent half of its time waiting for commits to reach the disk. */
const neverWaitForTheDisk = (administrator: string) =>
  withConnection(administrator, async (sql) => {
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      await sql.unsafe(`alter system set ${setting} = off`)
    }
    await sql`select pg_reload_conf()`
  })

async function createOnServer(administrator: string): Promise<TestDatabase> {
  const name = `tenantry_test_${randomBytes(4).toString('hex')}`
  const password = randomBytes(16).toString('hex')
  const owner = new URL(administrator)
  Object.assign(owner, { username: `${name}_owner`, password, pathname: `/${name}` })
  const close = () =>
    withConnection(administrator, async (sql) => {
      await sql`drop database if exists ${sql(name)} with (force)`
      await sql`drop role if exists ${sql(`${name}_app`)}`
      await sql`drop role if exists ${sql(`${name}_owner`)}`
    })
  try {
    await withConnection(administrator, async (sql) => {
      await sql.unsafe(`create role ${name}_owner login createrole password '${password}'`)
      // An administrator who is no superuser must be a member to give a database away.
      await sql.unsafe(`grant ${name}_owner to current_user`)
      await sql.unsafe(`create database ${name} owner ${name}_owner`)
    })
    const { urls } = await prepareServer({ ownerUrl: owner.href, secret: randomBytes(32) })
    return { urls: { ...urls, administrator }, close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}

async function withConnection<T>(url: string, work: (sql: ReturnType<typeof connect>) => Promise<T>): Promise<T> {
  const sql = connect(url, 1)
  return work(sql).finally(() => sql.end({ timeout: 5 }))
}
