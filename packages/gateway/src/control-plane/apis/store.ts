import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Page } from '../operation.ts'
import type { Settings } from '../parts-store.ts'

export interface StoredApi {
  id: string
  settings: Settings
  tags: Record<string, string>
  position: string
  created_at: Date
}

export const list = (tx: Tx, { after, limit }: Page): Promise<StoredApi[]> =>
  tx`select * from gateway.apis where position > ${after} order by position limit ${limit + 1}` as unknown as Promise<
    StoredApi[]
  >

export const find = async (tx: Tx, id: string): Promise<StoredApi | undefined> =>
  (await tx<StoredApi[]>`select * from gateway.apis where id = ${id}`)[0]

/** For a change to it or to any part of it: changes to one API follow one another. */
export const lock = async (tx: Tx, id: string): Promise<StoredApi | undefined> =>
  (await tx<StoredApi[]>`select * from gateway.apis where id = ${id} for update`)[0]

export const count = async (tx: Tx): Promise<number> =>
  (await tx<{ total: number }[]>`select count(*)::int as total from gateway.apis`)[0]!.total

export const insert = async (
  tx: Tx,
  api: { environment_id: string; id: string; settings: Settings; tags: Record<string, string>; created_at: Date },
): Promise<StoredApi> =>
  (
    await tx<StoredApi[]>`
      insert into gateway.apis ${tx({ ...api, settings: tx.json(api.settings), tags: tx.json(api.tags) })} returning *`
  )[0]!

export const update = (tx: Tx, id: string, settings: Settings) =>
  tx`update gateway.apis set settings = ${tx.json(settings)} where id = ${id}`

export const setTags = (tx: Tx, id: string, tags: Record<string, string>) =>
  tx`update gateway.apis set tags = ${tx.json(tags)} where id = ${id}`

export const remove = (tx: Tx, id: string) => tx`delete from gateway.apis where id = ${id}`
