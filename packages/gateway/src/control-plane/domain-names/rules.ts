import { said } from '../operation.ts'
import type { Settings } from '../parts-store.ts'
import { badRequest, notImplemented } from '../problems.ts'
import type { DomainNameMembers } from './schema.ts'

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
// The last label has a letter: an address of a machine is no name that one could own.
const domainName = new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})*\\.(?=[a-z0-9-]*[a-z])${label}$`)

/**
 * @param reserved the suffix under which APIs answer by themselves
 * @throws Problem BadRequestException
 */
export function checkDomainName(name: string, reserved: string): void {
  if (name.length > 253 || !domainName.test(name)) {
    throw badRequest(
      'The domain name must be lower case, of letters, digits, hyphens and dots; its first label may be *',
    )
  }
  // Whoever had such a name would answer for somebody else's API.
  if (name === reserved || name.endsWith(`.${reserved}`)) {
    throw badRequest(`Names under ${reserved} are given to APIs by their ids`)
  }
}

/**
 * A domain's settings after a change to those it had. An empty text removes a certificate or a truststore. What is named
 * is not looked for here: see `certificates.ts`.
 *
 * @throws Problem BadRequestException, NotImplementedException
 */
export function domainNameSettings(before: Settings, change: DomainNameMembers): Settings {
  if (change.routingMode !== undefined && change.routingMode !== 'API_MAPPING_ONLY') {
    throw notImplemented('Routing rules are not offered here: routingMode is API_MAPPING_ONLY')
  }
  const given = change.domainNameConfigurations?.[0] ?? {}
  const { certificateArn, certificateName, endpointType, ipAddressType, securityPolicy } = given
  if (endpointType === 'EDGE') throw badRequest('EDGE is not supported for HTTP APIs: endpointType is REGIONAL')
  if (securityPolicy === 'TLS_1_0')
    throw badRequest('TLS_1_0 is not supported for HTTP APIs: securityPolicy is TLS_1_2')
  if (ipAddressType === 'dualstack') throw notImplemented('ipAddressType dualstack is not offered here')
  if (given.ownershipVerificationCertificateArn) {
    throw badRequest('ownershipVerificationCertificateArn: nobody verifies ownership here, so leave it out')
  }
  const mutual = change.mutualTlsAuthentication
  if (mutual?.truststoreVersion) {
    throw badRequest('truststoreVersion: a truststore is a file here, which has no versions, so leave it out')
  }
  const settings: Settings = {
    ...before,
    ...said({ certificateArn, certificateName }),
    ...(mutual?.truststoreUri === undefined
      ? {}
      : { mutualTlsAuthentication: { truststoreUri: mutual.truststoreUri } }),
  }
  if (settings.certificateArn === '') delete settings.certificateArn
  if (settings.mutualTlsAuthentication?.truststoreUri === '') delete settings.mutualTlsAuthentication
  return settings
}
