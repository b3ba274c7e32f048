/** All that a tenant has, to be taken elsewhere: asked for, made in the background, listed for a while, read in parts. */
import type { ExportManifest, TenantDatabase } from '@tenantry/tenancy'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import * as store from '../exports/store.ts'
import { NoQuery } from '../http.ts'
import type { Life } from '../life/life.ts'
import { Refusal } from '../refusal.ts'
import { ownTenant } from '../users/caller.ts'
import type { Allow } from '../users/server.ts'
import { begin } from './plan.ts'

export interface ExportDependencies {
  sql: Sql
  allow: Allow
  life: Life
  exports: TenantDatabase
  exportDays: number
}

const Export = Type.Object(
  {
    id: Type.String(),
    state: Type.Enum(['running', 'done', 'failed']),
    requestedAt: Type.String(),
    /** Of what is done. */
    expiresAt: Type.Optional(Type.String()),
    rows: Type.Optional(Type.Integer()),
    bytes: Type.Optional(Type.Integer()),
    /** From 0 on; one after the other they are the archive. */
    parts: Type.Optional(Type.Integer()),
  },
  { additionalProperties: false },
)
const Exports = Type.Object({ exports: Type.Array(Export) }, { additionalProperties: false })
const Accepted = Type.Object({ id: Type.String() }, { additionalProperties: false })
const Params = Type.Object(
  { id: Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }) },
  { additionalProperties: false },
)
const Part = Type.Object(
  { part: Type.Optional(Type.String({ pattern: '^(0|[1-9][0-9]{0,5})$' })) },
  { additionalProperties: false },
)

export function exportRoutes(app: FastifyInstance, dependencies: ExportDependencies): void {
  const { sql, allow, life, exports, exportDays } = dependencies

  const listing = { querystring: NoQuery, response: { 200: Exports } }
  app.get('/tenant/exports', { ...allow('export:tenant'), schema: listing }, async () => {
    const { id } = await ownTenant(sql)
    const [history, sizes] = await Promise.all([life.history(id, { limit: 50 }), exports.inTenant(store.sizes)])
    const asked = history.filter(
      ({ saga, state, memory }) => saga === 'exportData' && (state !== 'done' || memory.manifest),
    )
    return {
      exports: asked.map(({ id, state, memory, startedAt, endedAt }) => {
        const size = sizes.find(({ exportId }) => exportId === id)
        const known = { id, requestedAt: startedAt.toISOString() }
        if (state !== 'done' || !size) return { ...known, state: state === 'failed' ? 'failed' : 'running' }
        const { tables } = memory.manifest as ExportManifest
        return {
          ...known,
          state,
          expiresAt: new Date(endedAt!.getTime() + exportDays * 86_400_000).toISOString(),
          rows: tables.reduce((sum, { rows }) => sum + rows, 0),
          bytes: size.bytes,
          parts: size.parts,
        }
      }),
    }
  })

  app.post(
    '/tenant/exports',
    { ...allow('export:tenant'), schema: { querystring: NoQuery, response: { 202: Accepted } } },
    async (request, reply) => {
      if (request.body !== undefined) {
        throw new Refusal(400, 'request_invalid', 'Send no body: an export is of everything.')
      }
      const { id: tenantId } = await ownTenant(sql)
      return reply.code(202).send({ id: await begin(life, 'exportData', tenantId, {}) })
    },
  )

  app.get<{ Params: { id: string }; Querystring: { part?: string } }>(
    '/tenant/exports/:id',
    { ...allow('export:tenant'), schema: { params: Params, querystring: Part } },
    async (request, reply) => {
      const { id: exportId } = request.params
      const { part = '0' } = request.query
      const { id: tenantId, slug } = await ownTenant(sql)
      const content = await exports.inTenant((tx) => store.get(tx, exportId, Number(part)))
      // The same for one that is not finished, one that is past its time, and one of somebody else.
      const saga = content && (await life.get(exportId))
      if (!content || saga?.tenantId !== tenantId || saga.state !== 'done') {
        throw new Refusal(404, 'export_not_found', 'There is no such export. They can be had for a while only.')
      }
      return reply
        .type('application/octet-stream')
        .headers({ 'cache-control': 'no-store', 'content-disposition': `attachment; filename="${slug}.zip"` })
        .send(content)
    },
  )
}
