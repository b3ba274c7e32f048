/** What the data plane reads: every environment's stages, through the door across them. */
import type { Sql, TransactionSql } from 'postgres'
import type { Definition } from '../api.ts'
import type { Settings } from './parts-store.ts'
import type { StoredStage } from './stages/store.ts'

export interface ServedStage extends Omit<StoredStage, 'deployment_id'> {
  environment_id: string
  account_id: string
  deployment_id: string
  /** Why this deployment could not be served when it was last tried. */
  status_message: string | null
}

/** One view of the store for all that is read: what is published fits together, and nothing is gone half way. */
export const snapshot = <T>(sql: Sql, read: (tx: TransactionSql) => Promise<T>): Promise<T> =>
  sql.begin('isolation level repeatable read read only', read) as Promise<T>

export const stages = (sql: TransactionSql): Promise<ServedStage[]> =>
  sql`select stage.*, account.id as account_id, deployment.status_message
      from gateway.stages stage
      join gateway.accounts account using (environment_id)
      join gateway.deployments deployment
        on (deployment.environment_id, deployment.api_id, deployment.id)
         = (stage.environment_id, stage.api_id, stage.deployment_id)
      order by stage.environment_id, stage.api_id, stage.position` as unknown as Promise<ServedStage[]>

/** A deployment never changes, so each is read once. */
export const definition = async (sql: TransactionSql, stage: ServedStage): Promise<Definition | undefined> =>
  (
    await sql<{ definition: Definition | null }[]>`
      select definition from gateway.deployments
      where environment_id = ${stage.environment_id} and api_id = ${stage.api_id} and id = ${stage.deployment_id}`
  )[0]?.definition ?? undefined

export interface ServedDomain {
  name: string
  account_id: string
  settings: Settings
}

/** Domains that say something of TLS. */
export const domains = (sql: TransactionSql): Promise<ServedDomain[]> =>
  sql`select domain.name, domain.settings, account.id as account_id
      from gateway.domain_names domain join gateway.accounts account using (environment_id)
      where domain.settings ?| array['certificateArn', 'mutualTlsAuthentication']
      order by domain.name` as unknown as Promise<ServedDomain[]>

export interface Mapping {
  domain_name: string
  mapping_key: string
  environment_id: string
  api_id: string
  stage: string
}

export const mappings = (sql: TransactionSql): Promise<Mapping[]> =>
  sql`select domain_name, mapping_key, environment_id, api_id, stage from gateway.api_mappings
      order by environment_id, domain_name, mapping_key` as unknown as Promise<Mapping[]>

/** Says at a stage and its deployment how serving went. */
export const report = (sql: Sql, stage: ServedStage, failure: string | null, message: string) =>
  sql.begin(async (tx) => {
    const { environment_id, api_id, deployment_id } = stage
    await tx`update gateway.deployments set status_message = ${failure}
             where environment_id = ${environment_id} and api_id = ${api_id} and id = ${deployment_id}`
    await tx`update gateway.stages set deployment_message = ${message}
             where environment_id = ${environment_id} and api_id = ${api_id} and name = ${stage.name}
               and deployment_id = ${deployment_id}`
  })
