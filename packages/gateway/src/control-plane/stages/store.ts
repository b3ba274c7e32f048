import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Page } from '../operation.ts'
import type { Settings, Within } from '../parts-store.ts'

export interface StoredStage {
  api_id: string
  name: string
  deployment_id: string | null
  is_auto_deploy: boolean
  settings: Settings
  tags: Record<string, string>
  is_managed: boolean
  deployment_message: string | null
  position: string
  created_at: Date
  updated_at: Date
}

export const list = (tx: Tx, apiId: string, { after, limit }: Page): Promise<StoredStage[]> =>
  tx`select * from gateway.stages where api_id = ${apiId} and position > ${after}
     order by position limit ${limit + 1}` as unknown as Promise<StoredStage[]>

export const all = (tx: Tx, apiId: string): Promise<StoredStage[]> =>
  tx`select * from gateway.stages where api_id = ${apiId} order by position` as unknown as Promise<StoredStage[]>

export const find = async (tx: Tx, apiId: string, name: string): Promise<StoredStage | undefined> =>
  (await tx<StoredStage[]>`select * from gateway.stages where api_id = ${apiId} and name = ${name}`)[0]

const columnsOf = (tx: Tx, { settings, tags, ...columns }: Omit<StoredStage, 'position' | 'api_id'>) => ({
  ...columns,
  settings: tx.json(settings),
  tags: tx.json(tags),
})

export const insert = async (
  tx: Tx,
  { environmentId, apiId }: Within,
  stage: Omit<StoredStage, 'position' | 'api_id'>,
): Promise<StoredStage> => {
  const values = { ...columnsOf(tx, stage), environment_id: environmentId, api_id: apiId }
  return (await tx<StoredStage[]>`insert into gateway.stages ${tx(values)} returning *`)[0]!
}

export const update = async (tx: Tx, { position: _, api_id, ...stage }: StoredStage): Promise<void> => {
  await tx`update gateway.stages set ${tx(columnsOf(tx, stage))} where api_id = ${api_id} and name = ${stage.name}`
}

export const remove = (tx: Tx, apiId: string, name: string) =>
  tx`delete from gateway.stages where api_id = ${apiId} and name = ${name}`

export const namesServing = async (tx: Tx, apiId: string, deploymentId: string): Promise<string[]> => {
  const rows = await tx<{ name: string }[]>`
    select name from gateway.stages where api_id = ${apiId} and deployment_id = ${deploymentId}`
  return rows.map(({ name }) => name)
}

/** To every process that serves the stage; it goes out with the commit. */
export const announceReset = (tx: Tx, stage: string) => tx`select pg_notify('gateway_cache_resets', ${stage})`
