import type { Endpoint } from '../../api.ts'
import { members, onlyMembers } from '../document.ts'
import { type Place, refused, say } from '../report.ts'
import { resolvedText } from '../variables.ts'
import type { Resource, Template } from './template.ts'

/** An endpoint under a custom domain, and the stage it leads to. */
export interface Mapping {
  readonly apiId: string
  readonly stage: string
  readonly endpoint: Endpoint
  readonly place: Place
}

const domain = /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/

/** Reads the domains and API mappings of a template. A domain of elsewhere may be mapped, too. */
export function readMappings(template: Template): readonly Mapping[] {
  const truststores = new Map(
    template.ofType('AWS::ApiGatewayV2::DomainName').flatMap((resource) => {
      const { name, truststoreUri } = readDomain(resource, template)
      return truststoreUri === null ? [] : [[String(name).toLowerCase(), truststoreUri] as const]
    }),
  )
  return template
    .ofType('AWS::ApiGatewayV2::ApiMapping')
    .flatMap((resource) => readMapping(resource, template, truststores))
}

function readDomain(resource: Resource, template: Template): { name: unknown; truststoreUri: string | null } {
  const place = resource.place.in('Properties')
  const known = ['DomainName', 'RoutingMode', 'MutualTlsAuthentication']
  const object = template.read(resource, known, ['DomainNameConfigurations', 'Tags'])
  const { DomainName: name, RoutingMode: mode, MutualTlsAuthentication: mutual } = object
  if (mode !== undefined && mode !== 'API_MAPPING_ONLY') {
    place.in('RoutingMode').error('routing rules are not supported: only API_MAPPING_ONLY is')
  }
  const at = place.in('MutualTlsAuthentication')
  return { name, truststoreUri: mutual === undefined ? null : readTruststore(mutual, at) }
}

function readTruststore(value: unknown, place: Place): string | null {
  const settings = members(value, place)
  if (settings === null) return null
  onlyMembers(settings, ['TruststoreUri', 'TruststoreVersion'], place)
  if (settings.TruststoreVersion !== undefined) place.in('TruststoreVersion').info('has no effect here')
  const uri = resolvedText(settings.TruststoreUri, null, place.in('TruststoreUri'))
  if (uri === null || uri.startsWith('s3://')) return uri
  return refused(place.in('TruststoreUri'), `${say(uri)} is no address of a truststore: s3://BUCKET/KEY`)
}

function readMapping(
  resource: Resource,
  template: Template,
  truststores: ReadonlyMap<string, string>,
): readonly Mapping[] {
  const place = resource.place.in('Properties')
  const {
    DomainName: host,
    ApiId,
    Stage,
    ApiMappingKey: key = '',
  } = template.read(resource, [...['ApiId', 'ApiMappingKey', 'DomainName', 'Stage']])
  if (typeof host !== 'string' || !domain.test(host)) {
    place.in('DomainName').error(`${JSON.stringify(host)} is no name of a domain: lower case, without "_"`)
    return []
  }
  const basePath = typeof key === 'string' ? key.replace(/^\/+|(?<!\/)\/+$/g, '') : null
  if (basePath === null || !/^[A-Za-z0-9$\-_.+!*'()/]{0,300}$/.test(basePath) || basePath.includes('//')) {
    place.in('ApiMappingKey').error("is of letters, digits and $-_.+!*'()/, at most 300")
    return []
  }
  const truststoreUri = truststores.get(host)
  const demand = truststoreUri === undefined ? {} : { truststoreUri }
  return [
    {
      apiId: String(ApiId),
      stage: String(Stage),
      endpoint: { host, basePath, kind: 'mapping', ...demand },
      place: resource.place,
    },
  ]
}
