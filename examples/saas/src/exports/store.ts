/** The transaction sees one tenant's parts and no others. */
import type { Tx } from '@tenantry/tenancy'

export const insert = async (
  tx: Tx,
  { tenantId, exportId, position, content }: { tenantId: string; exportId: string; position: number; content: Buffer },
): Promise<void> => {
  await tx`
    insert into parts (tenant_id, export_id, position, content) values (${tenantId}, ${exportId}, ${position}, ${content})`
}

export const get = async (tx: Tx, exportId: string, position: number): Promise<Buffer | undefined> =>
  (
    await tx<{ content: Buffer }[]>`
      select content from parts where export_id = ${exportId} and position = ${position}`
  )[0]?.content

export interface Size {
  exportId: string
  parts: number
  bytes: number
}

export const sizes = (tx: Tx): Promise<Size[]> => tx<Size[]>`
  select export_id as "exportId", count(*)::int as parts, sum(octet_length(content))::float8 as bytes
  from parts group by export_id`

/** @returns how many exports there were */
export const remove = async (tx: Tx, exportId?: string): Promise<number> => {
  const gone = await tx<{ id: string }[]>`
    delete from parts ${exportId === undefined ? tx`` : tx`where export_id = ${exportId}`} returning export_id as id`
  return new Set(gone.map(({ id }) => id)).size
}
