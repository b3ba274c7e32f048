import type { PemDirectory } from '../../tls/directory.ts'
import type { Domain } from '../../tls/domain.ts'
import { readTruststore } from '../../tls/truststore.ts'
import type { Settings } from '../parts-store.ts'
import { badRequest } from '../problems.ts'

export interface NamedDomain {
  readonly name: string
  readonly accountId: string
  readonly settings: Settings
}

/**
 * The certificate and the truststore that a domain names, as they lie here now.
 *
 * @param pems absent: there is no directory of them
 * @returns `null` for a domain without certificate, whose TLS ends in front of the gateway or nowhere
 * @throws Problem, status 400, that says what to do
 */
export async function readDomain(
  { name, accountId, settings }: NamedDomain,
  pems: PemDirectory | undefined,
): Promise<(Domain & { readonly expiresAt: number }) | null> {
  const arn: string | undefined = settings.certificateArn
  const uri: string | undefined = settings.mutualTlsAuthentication?.truststoreUri
  if (arn === undefined && uri === undefined) return null
  if (arn === undefined) throw badRequest('Mutual TLS needs a certificate: set certificateArn')
  if (pems === undefined) {
    throw badRequest(
      'This gateway was given no directory of TLS files, so it can show no certificate. Leave certificateArn out and ' +
        'end TLS in front of it, or have its operator set TENANTRY_GATEWAY_TLS',
    )
  }
  const { cert, key, expiresAt, covers } = await pems.certificate(arn, accountId)
  if (!covers(name)) throw badRequest(`The certificate ${arn} does not cover the domain name ${name}`)
  const truststore = uri === undefined ? null : await pems.truststore(uri, accountId)
  return { name, certificate: { cert, key }, truststore, expiresAt }
}

/**
 * Checks what a domain is about to name.
 *
 * @param now milliseconds since 1970
 * @returns Amazon's `truststoreWarnings`
 * @throws Problem, status 400
 */
export async function checkDomain(
  domain: NamedDomain,
  pems: PemDirectory | undefined,
  now: number,
): Promise<readonly string[]> {
  const found = await readDomain(domain, pems)
  if (found === null) return []
  if (found.expiresAt <= now) throw badRequest(`The certificate ${domain.settings.certificateArn} has expired`)
  if (found.truststore === null) return []
  try {
    return readTruststore(found.truststore, now).warnings
  } catch (error) {
    const { truststoreUri } = domain.settings.mutualTlsAuthentication
    throw badRequest(`The truststore ${truststoreUri} cannot be used: ${(error as Error).message}`)
  }
}
