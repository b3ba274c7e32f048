/**
 * The five operations that every part of an API has: create, list, read, change, remove. What is particular to a noun is
 * a value of `PartNoun`.
 */
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import type { TObject, TSchema } from 'typebox'
import { type Editing, editApi, readApi, shortId } from './editing.ts'
import { ApiPath, type ControlPlaneDeps, Empty, ListOf, PageQuery, pageOf, readPage, Text } from './operation.ts'
import * as store from './parts-store.ts'
import { badRequest, notFound, tooMany } from './problems.ts'

export interface PartNoun<P extends store.PartTable, Body> {
  /** As Amazon writes it: `Route`. */
  readonly name: string
  readonly table: P
  readonly summaries: Readonly<Record<'create' | 'list' | 'read' | 'change' | 'remove', string>>
  readonly shapes: { readonly create: TSchema; readonly update: TSchema; readonly shown: TSchema }
  /** Amazon's quota per API. */
  readonly most: number
  /** What asks the network, before any lock is held. */
  prepare?(body: Body, deps: ControlPlaneDeps): Promise<void>
  /** What is to be stored. `before` is absent for a new one. @throws Problem */
  row(body: Body, edit: Editing, before: store.Row<P> | undefined): Promise<store.Columns<P>>
  show(row: store.Columns<P> & { readonly id: string }): object
  /** @throws Problem when it may not go */
  checkUnused(row: store.Row<P>, edit: Editing): Promise<void>
}

export const partOperations =
  <P extends store.PartTable, Body>(noun: PartNoun<P, Body>): Slice<ControlPlaneDeps> =>
  (deps) =>
  async (app) => {
    const { name, table, shapes, summaries } = noun
    const path = `/v2/apis/:ApiId/${table}`
    const one = `${path}/:${name}Id`
    const PartPath = Exact({ ApiId: Text(64), [`${name}Id`]: Text(64) }) as TObject
    const about = (verb: string, summary: string) => ({
      operationId: verb,
      summary,
      tags: [`${name}s`],
    })
    const target = (params: unknown) => {
      const { ApiId, [`${name}Id`]: id } = params as Record<string, string>
      return { apiId: ApiId!, id: id! }
    }
    const existing = async ({ tx, apiId }: Editing, id: string): Promise<store.Row<P>> => {
      const row = await store.find(tx, table, apiId, id)
      if (row === undefined) throw notFound(name)
      return row
    }

    app.post(
      path,
      {
        schema: {
          ...about(`Create${name}`, summaries.create),
          params: ApiPath,
          body: shapes.create,
          response: { 201: shapes.shown },
        },
      },
      async ({ signedBy: caller, params, body }, reply) => {
        const given = body as Body
        await noun.prepare?.(given, deps)
        const made = await editApi(deps, caller, params.ApiId, async (edit) => {
          if ((await store.count(edit.tx, table, edit.apiId)) >= noun.most) {
            throw tooMany(`Maximum number of ${table} for this API has been reached: ${noun.most}`)
          }
          const row = { id: shortId(7), ...(await noun.row(given, edit, undefined)) }
          await store.insert(edit.tx, table, edit, row)
          return row
        })
        return reply.code(201).send(noun.show(made))
      },
    )

    app.get(
      path,
      {
        schema: {
          ...about(`Get${name}s`, summaries.list),
          params: ApiPath,
          querystring: PageQuery,
          response: { 200: ListOf(shapes.shown) },
        },
      },
      async ({ signedBy: caller, params, query }) =>
        readApi(deps, caller, params.ApiId, async ({ tx, apiId }) => {
          const page = readPage(query)
          return pageOf(await store.list(tx, table, apiId, page), page, noun.show)
        }),
    )

    app.get(
      one,
      { schema: { ...about(`Get${name}`, summaries.read), params: PartPath, response: { 200: shapes.shown } } },
      async ({ signedBy: caller, params }) => {
        const { apiId, id } = target(params)
        return readApi(deps, caller, apiId, async (edit) => noun.show(await existing(edit, id)))
      },
    )

    app.patch(
      one,
      {
        schema: {
          ...about(`Update${name}`, summaries.change),
          params: PartPath,
          body: shapes.update,
          response: { 200: shapes.shown },
        },
      },
      async ({ signedBy: caller, params, body }) => {
        const { apiId, id } = target(params)
        const given = body as Body
        await noun.prepare?.(given, deps)
        return editApi(deps, caller, apiId, async (edit) => {
          const row = { id, ...(await noun.row(given, edit, await existing(edit, id))) }
          await store.update(edit.tx, table, apiId, row)
          return noun.show(row)
        })
      },
    )

    app.delete(
      one,
      { schema: { ...about(`Delete${name}`, summaries.remove), params: PartPath, response: { 204: Empty } } },
      async ({ signedBy: caller, params }, reply) => {
        const { apiId, id } = target(params)
        await editApi(deps, caller, apiId, async (edit) => {
          const row = await existing(edit, id)
          if ('is_managed' in row && row.is_managed) {
            throw badRequest(`A ${name} made by quick create cannot be deleted`)
          }
          await noun.checkUnused(row, edit)
          await store.remove(edit.tx, table, apiId, id)
        })
        return reply.code(204).send(null)
      },
    )
  }
