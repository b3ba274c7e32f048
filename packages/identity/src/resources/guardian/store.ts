import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'

export interface SmsTemplates {
  enrollment_message: string
  verification_message: string
}

export interface GuardianRow {
  factors: string[]
  policies: string[]
  sms_templates: SmsTemplates | null
}

const NOTHING: GuardianRow = { factors: [], policies: [], sms_templates: null }

export const read = (tx: Tx) => tx<GuardianRow[]>`select factors, policies, sms_templates from guardian`

export async function get(tx: Tx): Promise<GuardianRow> {
  return (await read(tx))[0] ?? NOTHING
}

/** One statement, so that of two changes at once none is lost. */
export const turn = (tx: Tx, environmentId: string, factor: string, on: boolean) => tx`
  insert into guardian as g (environment_id, factors) values (${environmentId}, ${on ? [factor] : []}::text[])
  on conflict (environment_id) do update
    set factors = array_remove(g.factors, ${factor}) || ${on ? [factor] : []}::text[]`

export const setPolicies = (tx: Tx, environmentId: string, policies: string[]) => tx`
  insert into guardian (environment_id, policies) values (${environmentId}, ${policies}::text[])
  on conflict (environment_id) do update set policies = excluded.policies`

export const setSmsTemplates = (tx: Tx, environmentId: string, templates: SmsTemplates) => tx`
  insert into guardian (environment_id, sms_templates)
  values (${environmentId}, ${tx.json(templates as unknown as JSONValue)})
  on conflict (environment_id) do update set sms_templates = excluded.sms_templates`
