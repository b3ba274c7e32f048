/**
 * One end of what is done to all rows of a tenant: a single connection, inside a transaction whose scope is the tenant, so that
 * not even a mistake here reaches another tenant's rows: the owner of tables with FORCE ROW LEVEL SECURITY sees what the
 * policies let it see.
 */
import type { ReservedSql } from 'postgres'
import { quoted, settingsText } from '../postgres/quoted.ts'
import type { Relation } from './relations.ts'

export interface End {
  sql: ReservedSql
  /** Where the tables are. */
  schema: string
  tenantId: string
  setting: string
}

export type Isolation = 'read committed' | 'repeatable read'

export const placeOf = ({ schema, tenantId }: Pick<End, 'schema' | 'tenantId'>): string => `${schema} ${tenantId}`
export const list = (names: readonly string[], of = ''): string =>
  names.map((name) => `${of}${quoted(name)}`).join(', ')
export const tableOf = ({ schema }: Pick<End, 'schema'>, { name }: Pick<Relation, 'name'>): string =>
  `${quoted(schema)}.${quoted(name)}`

/**
 * Statements as one message: what a round trip costs is the wait for two processes to be scheduled, tens of milliseconds
 * where many want to.
 *
 * @returns the rows of the last statement that gives any
 */
export async function tell<R extends object>({ sql }: End, ...statements: string[]): Promise<R[]> {
  const answer = (await sql.unsafe(statements.join(';\n'))) as unknown as R[] | R[][]
  // The driver answers with a list of results where more than one has rows.
  return 'command' in answer ? (answer as R[]) : ((answer as R[][]).at(-1) ?? [])
}

/** Values must be written alike everywhere, to be compared as text and to be read again as what they were. */
export function beginning(end: End, isolation: Isolation, more: Record<string, string> = {}): string[] {
  const settings = {
    [end.setting]: end.tenantId,
    'tenancy.mover': 'on',
    timezone: 'UTC',
    datestyle: 'ISO, YMD',
    intervalstyle: 'postgres',
    bytea_output: 'hex',
    extra_float_digits: '1',
    // Names are written out; temporary tables are found without.
    search_path: 'pg_catalog, pg_temp',
    ...more,
  }
  return [`begin isolation level ${isolation}`, settingsText(settings)]
}

export const begin = async (end: End, isolation: Isolation): Promise<void> =>
  void (await tell(end, ...beginning(end, isolation)))
export const commit = async (end: End): Promise<void> => void (await tell(end, 'commit'))
/** Whatever state the connection is in. */
export const rollback = async (end: End): Promise<void> => void (await tell(end, 'rollback').catch(() => {}))
