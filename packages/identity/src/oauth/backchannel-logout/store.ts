import type { Sql } from 'postgres'

export interface Notice {
  environment_id: string
  id: string
  client_id: string
  client_name: string
  user_id: string
  sid: string
  issuer: string
  initiator: string
  attempts: number
  /** As it is configured now; null when nobody wants to be told any more. */
  url: string | null
  /** Where the client asks for it. */
  session_metadata: Record<string, string> | null
}

/**
 * Takes one notice that is due, of any environment, and sets when it may be taken again before anything is sent: a process
 * that dies on the way leaves one that is sent once more, with the same jti, and never one that is lost.
 */
export async function claim(sql: Sql, now: Date, until: Date): Promise<Notice | undefined> {
  const [row] = await sql<Notice[]>`
    update logout_notices n set next_attempt_at = ${until}, attempts = attempts + 1
    from clients c
    where (n.environment_id, n.id) = (
        select d.environment_id, d.id from logout_notices d where d.next_attempt_at <= ${now}
        order by d.next_attempt_at limit 1 for update skip locked)
      and c.environment_id = n.environment_id and c.client_id = n.client_id
    returning n.environment_id, n.id, n.client_id, c.name as client_name, n.user_id, n.sid, n.issuer, n.initiator,
      n.attempts, c.oidc_logout->'backchannel_logout_urls'->>0 as url,
      case when c.oidc_logout->'backchannel_logout_session_metadata'->'include' = 'true'
        then n.session_metadata end as session_metadata`
  return row
}

export const remove = (sql: Sql, { environment_id, id }: Notice) => sql`
  delete from logout_notices where environment_id = ${environment_id} and id = ${id}`

export const postpone = (sql: Sql, { environment_id, id }: Notice, until: Date) => sql`
  update logout_notices set next_attempt_at = ${until} where environment_id = ${environment_id} and id = ${id}`
