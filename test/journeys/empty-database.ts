/** What some guides ask their reader to bring: an empty database, as its owner, who may create roles. */
import { randomBytes } from 'node:crypto'
import { postgres } from '@tenantry/tenancy/driver'

export interface EmptyDatabase {
  url: string
  close(): Promise<void>
}

/** @param madeRoles roles of the server that are made in it, to be removed with it */
export async function openEmptyDatabase(madeRoles: readonly string[]): Promise<EmptyDatabase> {
  const { administrator } = JSON.parse(process.env.TENANTRY_TEST_DATABASE ?? '{}') as { administrator?: string }
  if (!administrator) throw new Error('TENANTRY_TEST_DATABASE is not set. Run the test through npm test.')
  const name = `guides_${randomBytes(5).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  const sql = postgres(administrator, { max: 1, onnotice: () => {} })
  await sql.unsafe(`create role ${name} login createrole password '${password}'`)
  await sql.unsafe(`grant ${name} to current_user`)
  await sql.unsafe(`create database ${name} owner ${name}`)
  const url = new URL(administrator)
  Object.assign(url, { username: name, password, pathname: `/${name}` })
  return {
    url: url.href,
    async close() {
      await sql.unsafe(`drop database ${name} with (force)`)
      for (const role of [...madeRoles, name]) await sql.unsafe(`drop role if exists ${role}`)
      await sql.end()
    },
  }
}
