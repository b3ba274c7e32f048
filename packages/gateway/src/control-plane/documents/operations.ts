import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { writeOpenApi } from '../../definition/export/openapi.ts'
import { readDefinition } from '../../definition/openapi.ts'
import { type Finding, sayFinding } from '../../definition/report.ts'
import type { BasePathMode } from '../../definition/servers.ts'
import type { Caller } from '../access-keys/access-keys.ts'
import { mostApis } from '../apis/operations.ts'
import { Api } from '../apis/schema.ts'
import { showApi } from '../apis/show.ts'
import * as apis from '../apis/store.ts'
import * as deployments from '../deployments/store.ts'
import { createApi, currentDefinition, editApi, readApi, shortId } from '../editing.ts'
import { ApiPath, type ControlPlaneDeps, Maybe, Text } from '../operation.ts'
import { badRequest, notFound, tooMany } from '../problems.ts'
import * as stages from '../stages/store.ts'
import { checkTags } from '../tags/rules.ts'
import { replaceParts, settingsOf } from './parts.ts'

const tags = ['Apis']

const ImportQuery = Exact({
  basepath: Maybe(OneOf('ignore', 'prepend', 'split')),
  failOnWarnings: Maybe(Type.Boolean()),
})
const Document = Exact({ body: Text(6 * 1024 * 1024, 1) })

/** Import and export of whole APIs as OpenAPI documents. */
export const documents: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  const read = async (text: string, query: Type.Static<typeof ImportQuery>, { accountId }: Caller) => {
    const { definition, info, warnings } = await readDefinition(text, {
      file: 'body',
      variables: { 'AWS::AccountId': accountId, 'AWS::Partition': 'aws', 'AWS::Region': deps.region },
      basePath: (query.basepath ?? 'ignore') as BasePathMode,
      failOnWarnings: query.failOnWarnings ?? false,
      discover: deps.discover,
    })
    if (definition.name === '') throw badRequest('The document has no info.title, which is the name of the API')
    checkTags(definition.tags)
    const texts = (findings: readonly Finding[]) => findings.map(sayFinding)
    return {
      definition,
      findings: {
        ...(info.length === 0 ? {} : { importInfo: texts(info) }),
        ...(warnings.length === 0 ? {} : { warnings: texts(warnings) }),
      },
    }
  }

  app.put(
    '/v2/apis',
    {
      schema: {
        ...{ operationId: 'ImportApi', summary: 'Create an API from an OpenAPI document', tags },
        querystring: ImportQuery,
        body: Document,
        response: { 201: Api },
      },
    },
    async ({ signedBy: caller, query, body }, reply) => {
      const { definition, findings } = await read(body.body, query, caller)
      const made = await createApi(
        deps,
        caller,
        async (tx) => {
          if ((await apis.count(tx)) >= mostApis) throw tooMany(`Maximum number of APIs has been reached: ${mostApis}`)
          return apis.insert(tx, {
            environment_id: caller.environmentId,
            id: shortId(10),
            settings: settingsOf(definition),
            tags: { ...definition.tags },
            created_at: deps.clock.now(),
          })
        },
        (edit) => replaceParts(edit, definition),
      )
      return reply.code(201).send(showApi(deps, made, findings))
    },
  )

  app.put(
    '/v2/apis/:ApiId',
    {
      schema: {
        ...{ operationId: 'ReimportApi', summary: 'Make an API what an OpenAPI document says', tags },
        params: ApiPath,
        querystring: ImportQuery,
        body: Document,
        response: { 201: Api },
      },
    },
    async ({ signedBy: caller, params, query, body }, reply) => {
      const { definition, findings } = await read(body.body, query, caller)
      const changed = await editApi(deps, caller, params.ApiId, async (edit) => {
        const settings = settingsOf(definition)
        const tags = { ...definition.tags }
        await apis.update(edit.tx, edit.apiId, settings)
        await apis.setTags(edit.tx, edit.apiId, tags)
        await replaceParts(edit, definition)
        return { ...edit.api, settings, tags }
      })
      return reply.code(201).send(showApi(deps, changed, findings))
    },
  )

  app.get(
    '/v2/apis/:ApiId/exports/:Specification',
    {
      schema: {
        ...{ operationId: 'ExportApi', summary: 'Write an API, or a stage of it, as an OpenAPI document', tags },
        params: Exact({ ApiId: Text(64), Specification: Text(16) }),
        querystring: Exact({
          exportVersion: Maybe(Text(16)),
          includeExtensions: Maybe(Type.Boolean()),
          outputType: OneOf('JSON', 'YAML'),
          stageName: Maybe(Text(128)),
        }),
        response: { 200: Type.Unsafe<Buffer>({}) },
      },
    },
    async (request, reply) => {
      const { signedBy: caller, params, query } = request
      if (params.Specification !== 'OAS30') throw badRequest('The specification of an export is OAS30')
      if ((query.exportVersion ?? '1.0') !== '1.0') throw badRequest('The exportVersion is 1.0')
      const definition = await readApi(deps, caller, params.ApiId, async (edit) => {
        if (query.stageName === undefined) return currentDefinition(edit)
        const stage = await stages.find(edit.tx, edit.apiId, query.stageName)
        if (stage === undefined) throw notFound('Stage')
        if (stage.deployment_id === null) return `Nothing is deployed to the stage ${stage.name}`
        return (await deployments.find(edit.tx, edit.apiId, stage.deployment_id))!.definition!
      })
      if (typeof definition === 'string') throw badRequest(definition.replace('deploy API', 'export API'))
      const isJson = query.outputType === 'JSON'
      const { document, lost } = writeOpenApi(definition, {
        format: isJson ? 'json' : 'yaml',
        extensions: query.includeExtensions ?? true,
      })
      if (lost.length > 0) request.log.info({ api: params.ApiId, lost }, 'an export does not say everything')
      return reply.type(isJson ? 'application/json' : 'application/yaml').send(Buffer.from(document))
    },
  )
}
