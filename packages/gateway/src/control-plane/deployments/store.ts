import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Definition } from '../../api.ts'
import type { Page } from '../operation.ts'
import type { Within } from '../parts-store.ts'

export interface StoredDeployment {
  id: string
  /** `null`: it failed. */
  definition: Definition | null
  is_auto_deployed: boolean
  description: string | null
  status_message: string | null
  position: string
  created_at: Date
}

export const list = (tx: Tx, apiId: string, { after, limit }: Page): Promise<StoredDeployment[]> =>
  tx`select * from gateway.deployments where api_id = ${apiId} and position > ${after}
     order by position limit ${limit + 1}` as unknown as Promise<StoredDeployment[]>

export const find = async (tx: Tx, apiId: string, id: string): Promise<StoredDeployment | undefined> =>
  (await tx<StoredDeployment[]>`select * from gateway.deployments where api_id = ${apiId} and id = ${id}`)[0]

export const insert = async (
  tx: Tx,
  { environmentId, apiId }: Within,
  deployment: Omit<StoredDeployment, 'position'>,
): Promise<StoredDeployment> => {
  const { definition, ...columns } = deployment
  const values = {
    ...columns,
    environment_id: environmentId,
    api_id: apiId,
    // biome-ignore lint/suspicious/noExplicitAny: plain data throughout
    definition: definition === null ? null : tx.json(definition as any),
  }
  return (await tx<StoredDeployment[]>`insert into gateway.deployments ${tx(values)} returning *`)[0]!
}

export const describe = (tx: Tx, apiId: string, id: string, description: string | null) =>
  tx`update gateway.deployments set description = ${description} where api_id = ${apiId} and id = ${id}`

export const remove = (tx: Tx, apiId: string, id: string) =>
  tx`delete from gateway.deployments where api_id = ${apiId} and id = ${id}`

/** Automatic deployments that no stage serves any more, but for the newest: each change makes one. */
export const removeUnused = (tx: Tx, apiId: string) =>
  tx`delete from gateway.deployments deployment
     where api_id = ${apiId} and is_auto_deployed
       and position < (select max(position) from gateway.deployments newest where newest.api_id = ${apiId})
       and not exists (select from gateway.stages stage
                       where stage.api_id = deployment.api_id and stage.deployment_id = deployment.id)`
