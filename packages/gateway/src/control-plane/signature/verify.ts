import { hash } from 'node:crypto'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import { sameSecret } from '@tenantry/kernel/secrets.ts'
import type { AccessKeys, Caller } from '../access-keys/access-keys.ts'
import { problems } from '../problems.ts'
import { canonicalRequest, signatureOf } from './canonical.ts'
import { type Claim, type RawRequest, readClaim } from './signed-request.ts'

const skewMs = 5 * 60 * 1000

export interface VerifyDeps {
  readonly keys: AccessKeys
  readonly clock: Clock
  /** The only region in which signatures hold. */
  readonly region: string
}

const invalid = (reason: string): Problem => problems.InvalidSignatureException({ facts: { reason } })

/**
 * Whom a request is from.
 *
 * @param body as it came; empty when there is none
 * @throws Problem of status 403: MissingAuthenticationToken, IncompleteSignature, InvalidSignature, UnrecognizedClient
 */
export async function verifySignature(request: RawRequest, body: Uint8Array, deps: VerifyDeps): Promise<Caller> {
  const claim = readClaim(request)
  checkScope(claim, deps.region)
  checkTime(claim, deps.clock.now().getTime())
  const key = await deps.keys.find(claim.accessKeyId)
  if (key === null) throw problems.UnrecognizedClientException()
  const bodyHash = hash('sha256', body, 'hex')
  const canonical = canonicalRequest(request, claim, bodyHash)
  if (
    canonical === null ||
    (claim.contentSha256 !== null && claim.contentSha256 !== bodyHash) ||
    !sameSecret(signatureOf(canonical, claim, key.secret), claim.signature)
  ) {
    throw invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    )
  }
  return key.caller
}

function checkScope({ date, region, service, timestamp }: Claim, ours: string): void {
  if (region !== ours) throw invalid(`Credential should be scoped to a valid region: '${ours}'.`)
  if (service !== 'apigateway') throw invalid("Credential should be scoped to correct service: 'apigateway'.")
  if (date !== timestamp.slice(0, 8)) {
    throw invalid(`Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: '${timestamp}'.`)
  }
}

function checkTime({ timestamp, expiresSeconds }: Claim, now: number): void {
  const iso = timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const signedAt = Date.parse(iso)
  const basic = (at: number) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')
  if (!Number.isFinite(signedAt)) throw invalid(`'${timestamp}' is not a point in time.`)
  if (signedAt > now + skewMs) {
    throw invalid(`Signature not yet current: ${timestamp} is still later than ${basic(now + skewMs)} (now + 5 min.)`)
  }
  const lasts = expiresSeconds === null ? skewMs : expiresSeconds * 1000
  if (signedAt + lasts < now) {
    throw invalid(`Signature expired: ${timestamp} is now earlier than ${basic(now - lasts)}`)
  }
}
