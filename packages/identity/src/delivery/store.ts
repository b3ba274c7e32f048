import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Sql } from 'postgres'
import type { PhoneProvider } from './sms/provider.ts'

export type Channel = 'mail' | 'sms'

export interface NewMessage {
  environment_id: string
  id: string
  recipient: string
  template: string
  subject: string
  body: Uint8Array
  sender: string | null
  organization_id: string | null
  created_at: Date
  next_attempt_at: Date | null
  channel: Channel
}

export interface MessageRow {
  environment_id: string
  id: string
  recipient: string
  template: string
  subject: string
  body: Uint8Array
  sender: string | null
  created_at: Date
  attempts: number
  channel: Channel
}

const columns = (sql: Sql | Tx) =>
  sql`environment_id, id, recipient, template, subject, body, sender, created_at, attempts, channel`

export async function insert(tx: Tx, message: NewMessage): Promise<void> {
  await tx`insert into messages ${tx({ ...message, body: Buffer.from(message.body) })}`
}

export const list = (tx: Tx, options: { recipient?: string; limit: number }): Promise<MessageRow[]> =>
  tx<MessageRow[]>`
    select ${columns(tx)} from messages
    where ${options.recipient === undefined ? tx`true` : tx`recipient_key = lower(${options.recipient})`}
    order by created_at desc, id limit ${options.limit}`

export async function find(tx: Tx, id: string): Promise<MessageRow | undefined> {
  const [row] = await tx<MessageRow[]>`select ${columns(tx)} from messages where id = ${id}`
  return row
}

/** How many messages of one template an address or number was sent since then, whatever its spelling in upper or lower case. */
export async function countSince(tx: Tx, given: { recipient: string; template: string; since: Date }): Promise<number> {
  const [row] = await tx<{ sent: number }[]>`
    select count(*)::int as sent from messages
    where recipient_key = lower(${given.recipient}) and template = ${given.template}
      and created_at > ${given.since}`
  return row!.sent
}

/**
 * Takes one message that is due, of any environment, and sets when it is due again BEFORE it is sent: a process that
 * dies between sending and marking leaves a message that another one sends once more, and never one that is lost.
 */
export async function claim(sql: Sql, now: Date, again: (attempts: number) => Date): Promise<MessageRow | undefined> {
  return (await sql.begin(async (tx) => {
    const [due] = await tx<MessageRow[]>`
      select ${columns(tx as unknown as Tx)} from messages m
      where delivered_at is null and next_attempt_at <= ${now}
        and not exists (select from organizations o where o.environment_id = m.environment_id
          and o.organization_id = m.organization_id and o.suspended_at is not null)
      order by next_attempt_at limit 1 for update skip locked`
    if (!due) return undefined
    const attempts = due.attempts + 1
    await tx`
      update messages set attempts = ${attempts}, next_attempt_at = ${again(attempts)}
      where environment_id = ${due.environment_id} and id = ${due.id}`
    return { ...due, attempts }
  })) as MessageRow | undefined
}

export async function markDelivered(sql: Sql, message: MessageRow, now: Date): Promise<void> {
  await sql`
    update messages set delivered_at = ${now}, next_attempt_at = null, last_error = null
    where environment_id = ${message.environment_id} and id = ${message.id}`
}

/** Keeps what the server said. `given_up` takes the message out of the queue; otherwise it stays due as claimed. */
export async function markFailed(
  sql: Sql,
  message: MessageRow,
  failure: { error: string; given_up: boolean },
): Promise<void> {
  await sql`
    update messages set
      last_error = ${failure.error},
      next_attempt_at = case when ${failure.given_up} then null else next_attempt_at end
    where environment_id = ${message.environment_id} and id = ${message.id}`
}

/** An environment's own mail server, as the Management API keeps it. */
export interface ProviderRow {
  default_from_address: string | null
  smtp_host: string
  smtp_port: number
  smtp_user: string | null
  smtp_pass: Uint8Array | null
}

export async function hasProvider(tx: Tx): Promise<boolean> {
  const found = await tx`select from email_providers where enabled`
  return found.length > 0
}

/** The mail server that an environment uses, if it has one of its own. */
export async function provider(sql: Sql, environmentId: string): Promise<ProviderRow | undefined> {
  const [row] = await sql<ProviderRow[]>`
    select default_from_address, smtp_host, smtp_port, smtp_user, smtp_pass from email_providers
    where environment_id = ${environmentId} and enabled`
  return row
}

export async function hasPhoneProvider(tx: Tx): Promise<boolean> {
  const found = await tx`select from phone_providers where not disabled`
  return found.length > 0
}

/** Who sends an environment's text messages, if anybody does. */
export async function phoneProvider(sql: Sql, environmentId: string): Promise<PhoneProvider | undefined> {
  const [row] = await sql<PhoneProvider[]>`
    select name, configuration, credentials from phone_providers
    where environment_id = ${environmentId} and not disabled`
  return row
}
