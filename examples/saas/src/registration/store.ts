import type { Sql } from 'postgres'

export type Step =
  | 'received'
  | 'tenant_created'
  | 'organization_created'
  | 'connection_enabled'
  | 'user_invited'
  | 'done'
  | 'refusing'
  | 'refused'

export interface RefusalRecord {
  status: number
  code: string
  message: string
}

export interface Registration {
  id: string
  requestHash: Buffer
  companyName: string
  email: string
  plan: string
  tenantId: string
  step: Step
  refusal: RefusalRecord | null
  attempts: number
}

export interface NewRegistration extends Omit<Registration, 'step' | 'refusal' | 'attempts'> {
  keyHash: Buffer
  address: string
  createdAt: Date
}

const columns = (sql: Sql) => sql`
  id, request_hash as "requestHash", company_name as "companyName", email, plan, new_tenant_id as "tenantId", step, refusal,
  attempts`

/** Of several at once with the same key, one inserts. */
export const insert = async (sql: Sql, registration: NewRegistration): Promise<void> => {
  const { id, keyHash, requestHash, companyName, email, plan, address, tenantId, createdAt } = registration
  await sql`
    insert into registrations
      (id, key_hash, request_hash, company_name, email, plan, address, new_tenant_id, step, attempt_after, created_at)
    values (${id}, ${keyHash}, ${requestHash}, ${companyName}, ${email}, ${plan}, ${address}, ${tenantId}, 'received',
            ${createdAt}, ${createdAt})
    on conflict (key_hash) do nothing`
}

export const findByKey = async (sql: Sql, keyHash: Buffer): Promise<Registration | undefined> =>
  (await sql<Registration[]>`select ${columns(sql)} from registrations where key_hash = ${keyHash}`)[0]

export const get = async (sql: Sql, id: string): Promise<Registration | undefined> =>
  (await sql<Registration[]>`select ${columns(sql)} from registrations where id = ${id}`)[0]

/** How many registrations an address of mail or network has begun since then, and when the first of them leaves the window. */
export const count = async (sql: Sql, by: { email: string } | { address: string }, since: Date) => {
  const match = 'email' in by ? sql`email = ${by.email}` : sql`address = ${by.address}`
  const [row] = await sql<{ count: number; oldest: Date | null }[]>`
    select count(*)::int as count, min(created_at) as oldest from registrations where ${match} and created_at > ${since}`
  return row!
}

/** Takes the right to advance this registration. @returns undefined while another holds it, or when it is over. */
export const acquire = async (
  sql: Sql,
  id: string,
  lease: string,
  now: Date,
  until: Date,
): Promise<Registration | undefined> =>
  (
    await sql<Registration[]>`
      update registrations set lease = ${lease}, lease_until = ${until}
      where id = ${id} and step not in ('done', 'refused') and (lease_until is null or lease_until <= ${now})
      returning ${columns(sql)}`
  )[0]

/** @returns false when the lease was lost in the meantime: somebody else goes on. */
export const advance = async (
  sql: Sql,
  id: string,
  lease: string,
  step: Step,
  until: Date,
  refusal: RefusalRecord | null = null,
): Promise<boolean> =>
  (
    await sql`
      update registrations set step = ${step}, lease_until = ${until},
        refusal = coalesce(${refusal ? sql.json({ ...refusal }) : null}, refusal)
      where id = ${id} and lease = ${lease}`
  ).count === 1

export const release = async (sql: Sql, id: string, lease: string): Promise<void> => {
  await sql`update registrations set lease = null, lease_until = null where id = ${id} and lease = ${lease}`
}

export const postpone = async (sql: Sql, id: string, lease: string, after: Date): Promise<void> => {
  await sql`
    update registrations set attempts = attempts + 1, attempt_after = ${after}, lease = null, lease_until = null
    where id = ${id} and lease = ${lease}`
}

export const listUnfinished = async (sql: Sql, now: Date): Promise<string[]> => {
  const rows = await sql<{ id: string }[]>`
    select id from registrations
    where step not in ('done', 'refused') and attempt_after <= ${now} and (lease_until is null or lease_until <= ${now})
    order by attempt_after limit 20`
  return rows.map(({ id }) => id)
}
