import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text, TextMap } from '../operation.ts'

const configuration = {
  certificateArn: Maybe(Text(2048)),
  certificateName: Maybe(Text(256)),
  endpointType: Maybe(OneOf('REGIONAL', 'EDGE')),
  ipAddressType: Maybe(OneOf('ipv4', 'dualstack')),
  ownershipVerificationCertificateArn: Maybe(Text(2048)),
  securityPolicy: Maybe(OneOf('TLS_1_0', 'TLS_1_2')),
}
const members = {
  domainNameConfigurations: Maybe(
    Type.Array(
      // What only answers have may be sent back, as read.
      Exact({
        ...configuration,
        apiGatewayDomainName: Maybe(Text(512)),
        certificateUploadDate: Maybe(Text(64)),
        domainNameStatus: Maybe(Text(64)),
        domainNameStatusMessage: Maybe(Text(1024)),
        hostedZoneId: Maybe(Text(64)),
      }),
      { maxItems: 1 },
    ),
  ),
  mutualTlsAuthentication: Maybe(Exact({ truststoreUri: Maybe(Text(2048)), truststoreVersion: Maybe(Text(64)) })),
  routingMode: Maybe(OneOf('API_MAPPING_ONLY', 'ROUTING_RULE_ONLY', 'ROUTING_RULE_THEN_API_MAPPING')),
}

export const CreateDomainName = Exact({ ...members, domainName: Text(512, 1), tags: Maybe(TextMap) })
export const UpdateDomainName = Exact(members)
export type DomainNameMembers = Type.Static<typeof UpdateDomainName>

export const DomainName = Exact({
  apiMappingSelectionExpression: Type.String(),
  domainName: Type.String(),
  domainNameArn: Type.String(),
  domainNameConfigurations: Type.Array(
    Exact({ ...configuration, apiGatewayDomainName: Type.String(), domainNameStatus: Type.String() }),
  ),
  mutualTlsAuthentication: Maybe(
    Exact({ truststoreUri: Type.String(), truststoreWarnings: Maybe(Type.Array(Type.String())) }),
  ),
  routingMode: Type.String(),
  tags: TextMap,
})

export const DomainNamePath = Exact({ DomainName: Text(512) })
