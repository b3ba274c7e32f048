import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type Type from 'typebox'
import * as mappings from '../api-mappings/store.ts'
import { inEnvironment } from '../editing.ts'
import { type ControlPlaneDeps, Empty, ListOf, PageQuery, pageOf, readPage } from '../operation.ts'
import type { Settings } from '../parts-store.ts'
import { conflict, notFound, tooMany } from '../problems.ts'
import { checkTags } from '../tags/rules.ts'
import { checkDomain } from './certificates.ts'
import { checkDomainName, domainNameSettings } from './rules.ts'
import { CreateDomainName, DomainName, DomainNamePath, UpdateDomainName } from './schema.ts'
import * as store from './store.ts'

const path = '/v2/domainnames'
const one = `${path}/:DomainName`
const tags = ['Domain names']
/** Amazon's quota per account. */
const mostDomains = 120

const told = (warnings: readonly string[]) => (warnings.length === 0 ? {} : { truststoreWarnings: [...warnings] })

export const domainNames: Slice<ControlPlaneDeps> = (deps) => async (app) => {
  /** @param warnings told once, as Amazon does: when the truststore is set */
  const show = (
    { name, settings: { mutualTlsAuthentication: mutual, ...configuration }, tags }: store.StoredDomainName,
    warnings: readonly string[] = [],
  ): Type.Static<typeof DomainName> => ({
    apiMappingSelectionExpression: '$request.basepath',
    domainName: name,
    domainNameArn: `arn:aws:apigateway:${deps.region}::/domainnames/${name}`,
    domainNameConfigurations: [
      {
        ...configuration,
        // What a CNAME would point to: the gateway finds the domain by the request's host.
        apiGatewayDomainName: deps.hostSuffix,
        domainNameStatus: 'AVAILABLE',
        endpointType: 'REGIONAL',
        ipAddressType: 'ipv4',
        securityPolicy: 'TLS_1_2',
      },
    ],
    ...(mutual === undefined ? {} : { mutualTlsAuthentication: { ...mutual, ...told(warnings) } }),
    routingMode: 'API_MAPPING_ONLY',
    tags,
  })

  const check = (accountId: string, name: string, settings: Settings) =>
    checkDomain({ name, accountId, settings }, deps.pems, deps.clock.now().getTime())

  /** Whoever had a name under another's wildcard, or the wildcard over another's name, would answer in their place. */
  const refuseForeign = async (tx: Tx, environmentId: string, name: string): Promise<void> => {
    const wildcard = name.replace(/^[^.]+/, '*')
    await store.lockNames(tx, wildcard)
    const isForeign = await deps.database.acrossEnvironments('find whose a wildcard domain is', (sql) =>
      store.isForeign(sql, environmentId, name, wildcard),
    )
    if (isForeign) throw conflict(`The domain name you provided conflicts with one that exists: see ${wildcard}`)
  }

  app.post(
    path,
    {
      schema: {
        ...{ operationId: 'CreateDomainName', summary: 'Let a domain of one’s own lead to APIs', tags },
        body: CreateDomainName,
        response: { 201: DomainName },
      },
    },
    async ({ signedBy: caller, body: { domainName, tags = {}, ...body } }, reply) => {
      checkDomainName(domainName, deps.hostSuffix)
      checkTags(tags)
      const settings = domainNameSettings({}, body)
      const warnings = await check(caller.accountId, domainName, settings)
      const made = await inEnvironment(deps, caller, async (tx) => {
        if ((await store.count(tx)) >= mostDomains) {
          throw tooMany(`Maximum number of domain names has been reached: ${mostDomains}`)
        }
        const { environmentId: environment_id } = caller
        await refuseForeign(tx, environment_id, domainName)
        return store.insert(tx, { environment_id, name: domainName, settings, tags, created_at: deps.clock.now() })
      })
      if (made === undefined) throw conflict('The domain name you provided already exists.')
      return reply.code(201).send(show(made, warnings))
    },
  )

  app.get(
    path,
    {
      schema: {
        ...{ operationId: 'GetDomainNames', summary: 'List domains', tags },
        querystring: PageQuery,
        response: { 200: ListOf(DomainName) },
      },
    },
    async ({ signedBy: caller, query }) => {
      const page = readPage(query)
      return pageOf(await inEnvironment(deps, caller, (tx) => store.list(tx, page)), page, (row) => show(row))
    },
  )

  app.get(
    one,
    {
      schema: {
        ...{ operationId: 'GetDomainName', summary: 'Read a domain', tags },
        params: DomainNamePath,
        response: { 200: DomainName },
      },
    },
    async ({ signedBy: caller, params }) => {
      const row = await inEnvironment(deps, caller, (tx) => store.find(tx, params.DomainName))
      if (row === undefined) throw notFound('domain name')
      return show(row)
    },
  )

  app.patch(
    one,
    {
      schema: {
        ...{ operationId: 'UpdateDomainName', summary: 'Change a domain', tags },
        params: DomainNamePath,
        body: UpdateDomainName,
        response: { 200: DomainName },
      },
    },
    async ({ signedBy: caller, params, body }) =>
      inEnvironment(deps, caller, async (tx) => {
        const row = await store.lock(tx, params.DomainName)
        if (row === undefined) throw notFound('domain name')
        const settings = domainNameSettings(row.settings, body)
        const warnings = await check(caller.accountId, row.name, settings)
        await store.update(tx, row.name, settings)
        return show({ ...row, settings }, warnings)
      }),
  )

  app.delete(
    one,
    {
      schema: {
        ...{ operationId: 'DeleteDomainName', summary: 'Give a domain up', tags },
        params: DomainNamePath,
        response: { 204: Empty },
      },
    },
    async ({ signedBy: caller, params }, reply) => {
      await inEnvironment(deps, caller, async (tx) => {
        const row = await store.lock(tx, params.DomainName)
        if (row === undefined) throw notFound('domain name')
        if ((await mappings.all(tx, row.name)).length > 0) {
          throw conflict('All API mappings must be deleted before the domain name can be deleted')
        }
        await store.remove(tx, row.name)
      })
      return reply.code(204).send(null)
    },
  )
}
