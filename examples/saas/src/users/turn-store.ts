import type { Sql } from 'postgres'

/** @returns false while another has the turn. */
export const take = async (sql: Sql, tenantId: string, turn: string, now: Date, until: Date): Promise<boolean> =>
  (
    await sql`
      update tenants set members_turn = ${turn}, members_turn_until = ${until}
      where id = ${tenantId} and (members_turn_until is null or members_turn_until <= ${now})`
  ).count === 1

export const giveBack = async (sql: Sql, tenantId: string, turn: string): Promise<void> => {
  await sql`
    update tenants set members_turn = null, members_turn_until = null where id = ${tenantId} and members_turn = ${turn}`
}
