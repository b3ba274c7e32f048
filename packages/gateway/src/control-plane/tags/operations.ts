import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import type { Caller } from '../access-keys/access-keys.ts'
import * as apis from '../apis/store.ts'
import * as domains from '../domain-names/store.ts'
import { editApi, inEnvironment } from '../editing.ts'
import { type ControlPlaneDeps, Empty, Maybe, Text, TextMap } from '../operation.ts'
import { notFound } from '../problems.ts'
import * as stages from '../stages/store.ts'
import { checkTags } from './rules.ts'

const ResourcePath = Exact({ ResourceArn: Text(1024) })
const tags = ['Tags']

type Tags = Record<string, string>

export const resourceTags: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  const change = async (caller: Caller, arn: string, work: (before: Tags) => Tags): Promise<Tags> => {
    const resource = resourceOf(arn, deps.region)
    const changed = async (row: { tags: Tags } | undefined, set: (after: Tags) => Promise<unknown>) => {
      if (row === undefined) throw notFound('resource')
      const after = work(row.tags)
      checkTags(after)
      if (after !== row.tags) await set(after)
      return after
    }
    if (resource.kind === 'domainnames') {
      return inEnvironment(deps, caller, async (tx) =>
        changed(await domains.lock(tx, resource.name), (after) => domains.setTags(tx, resource.name, after)),
      )
    }
    return editApi(deps, caller, resource.api, async ({ tx, api, apiId }) => {
      if (resource.kind === 'apis') return changed(api, (after) => apis.setTags(tx, apiId, after))
      const stage = await stages.find(tx, apiId, resource.stage)
      return changed(stage, (after) => stages.update(tx, { ...stage!, tags: after }))
    })
  }

  app.get(
    '/v2/tags/:ResourceArn',
    {
      schema: {
        ...{ operationId: 'GetTags', summary: 'Read the tags of an API, stage or domain', tags },
        params: ResourcePath,
        response: { 200: Exact({ tags: TextMap }) },
      },
    },
    async ({ signedBy: caller, params }) => ({ tags: await change(caller, params.ResourceArn, (before) => before) }),
  )

  app.post(
    '/v2/tags/:ResourceArn',
    {
      schema: {
        ...{ operationId: 'TagResource', summary: 'Add tags', tags },
        params: ResourcePath,
        body: Exact({ tags: Maybe(TextMap) }),
        response: { 201: Exact({}) },
      },
    },
    async ({ signedBy: caller, params, body }, reply) => {
      await change(caller, params.ResourceArn, (before) => ({ ...before, ...body.tags }))
      return reply.code(201).send({})
    },
  )

  app.delete(
    '/v2/tags/:ResourceArn',
    {
      schema: {
        ...{ operationId: 'UntagResource', summary: 'Remove tags', tags },
        params: ResourcePath,
        querystring: Exact({ tagKeys: Type.Union([Type.Array(Text(128)), Text(128)]) }),
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params, query }, reply) => {
      const keys = [query.tagKeys].flat()
      await change(caller, params.ResourceArn, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !keys.includes(key))),
      )
      return reply.code(204).send(null)
    },
  )
}

type Resource =
  | { kind: 'apis'; api: string }
  | { kind: 'stages'; api: string; stage: string }
  | { kind: 'domainnames'; name: string }

/** `arn:aws:apigateway:{region}::/apis/{id}`, `…/apis/{id}/stages/{name}` or `…/domainnames/{name}`. */
function resourceOf(arn: string, region: string): Resource {
  const [, place, path = ''] = /^arn:aws:apigateway:([^:]*)::\/(.+)$/.exec(arn) ?? []
  const [kind, name, sub, stage, ...rest] = path.split('/')
  if (place === region && rest.length === 0 && name) {
    if (kind === 'domainnames' && sub === undefined) return { kind, name }
    if (kind === 'apis' && sub === undefined) return { kind, api: name }
    if (kind === 'apis' && sub === 'stages' && stage) return { kind: 'stages', api: name, stage }
  }
  throw notFound('resource')
}
