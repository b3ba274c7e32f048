/** SQL of asking for a second factor: challenges, tries, and browsers that are not asked again. */
import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface ChallengeKey {
  handleHash: Buffer
  methodId: string
  userId: string
}

/** A new challenge takes the place of the one before: only the code sent last counts. */
export const putChallenge = (tx: Tx, environmentId: string, key: ChallengeKey, expected: string, expiresAt: Date) => tx`
  insert into factor_challenges ${tx({
    environment_id: environmentId,
    handle_hash: key.handleHash,
    method_id: key.methodId,
    user_id: key.userId,
    expected,
    expires_at: expiresAt,
  })}
  on conflict (environment_id, handle_hash, method_id) do update
    set user_id = excluded.user_id, expected = excluded.expected, expires_at = excluded.expires_at`

const isAlive = (tx: Tx, { handleHash, methodId, userId }: ChallengeKey, now: Date) => tx`
  handle_hash = ${handleHash} and method_id = ${methodId} and user_id = ${userId} and expires_at > ${now}`

export async function readChallenge(tx: Tx, key: ChallengeKey, now: Date): Promise<string | undefined> {
  const [row] = await tx<{ expected: string }[]>`
    select expected from factor_challenges where ${isAlive(tx, key, now)}`
  return row?.expected
}

/** Of any number of tries at once one gets it. */
export async function takeChallenge(tx: Tx, key: ChallengeKey, expected: string, now: Date): Promise<boolean> {
  const taken = await tx`
    delete from factor_challenges where ${isAlive(tx, key, now)} and expected = ${expected} returning 1`
  return taken.length > 0
}

/** Counts a try of a person in its window. @returns how many there were, this one included */
export const countTry = (
  tx: Tx,
  environmentId: string,
  userId: string,
  kind: 'answer' | 'message',
  now: Date,
  windowEndsAt: Date,
) => tx<{ tries: number }[]>`
  insert into factor_tries as t (environment_id, user_id, kind, tries, window_ends_at)
  values (${environmentId}, ${userId}, ${kind}, 1, ${windowEndsAt})
  on conflict (environment_id, user_id, kind) do update set
    tries = case when t.window_ends_at <= ${now} then 1 else t.tries + 1 end,
    window_ends_at = case when t.window_ends_at <= ${now} then excluded.window_ends_at else t.window_ends_at end
  returning tries`

export const forgetTries = (tx: Tx, userId: string) => tx`
  delete from factor_tries where user_id = ${userId} and kind = 'answer'`

export const rememberBrowser = (
  tx: Tx,
  environmentId: string,
  row: { handle_hash: Buffer; user_id: string; created_at: Date; expires_at: Date },
  oldHandleHash: Buffer | null,
) => tx`
  with gone as (
    delete from remembered_browsers where handle_hash = ${oldHandleHash} and user_id = ${row.user_id}
  ), others as (
    update remembered_browsers set handle_hash = ${row.handle_hash}
    where handle_hash = ${oldHandleHash} and user_id <> ${row.user_id}
  )
  insert into remembered_browsers ${tx({ environment_id: environmentId, ...row })}`

export const isRemembered = (tx: Tx, handleHash: Buffer, userId: string, now: Date) => tx<{ found: number }[]>`
  select 1 as found from remembered_browsers
  where handle_hash = ${handleHash} and user_id = ${userId} and expires_at > ${now}`
