/** The desk, from real things. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthenticator, createTenantDatabase, createVerifier, siloLogin } from '@tenantry/tenancy'
import { lifeTables, openLife, SILO_SECRET } from '../../../packages/tenancy/src/lifecycle/test-life.ts'
import type { Desk } from '../desk.ts'
import { startAwsServices } from './aws.ts'
import { openPlace } from './database.ts'
import { openIssuer } from './issuer.ts'

const TENANT = 'BlueKite4Jq8Zt1Ns6Yb0Xw3'
const AUDIENCE = 'https://api.example.com'

export async function openDesk(): Promise<{ desk: Desk; prepare(): Promise<void>; close(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-examples-'))
  const [place, issuer, aws] = await Promise.all([openPlace(), openIssuer(), startAwsServices()])
  const { url, limitsUrl, owner, sql, control, migrate, restock, urls } = place

  const tokenFor: Desk['tokenFor'] = (claims) =>
    issuer.token({
      sub: 'auth0|maria',
      aud: AUDIENCE,
      azp: 'web',
      scope: 'openid read:item',
      org_id: 'org_BlueKite00000001',
      'https://example.com/tenantId': TENANT,
      'https://example.com/tier': 'basic',
      ...claims,
    })
  const requestWith: Desk['requestWith'] = (token) => ({ headers: { authorization: `Bearer ${token}` } })
  const verifier = createVerifier({ issuer: 'https://login.example.com/', audience: AUDIENCE })
  const authenticate = createAuthenticator({
    verifier,
    tenantClaim: 'https://example.com/tenantId',
    tierClaim: 'https://example.com/tier',
  })
  const token = await tokenFor({})
  const request = requestWith(token)

  await restock(TENANT)
  const settings = { schema: 'public', control: 'control', applicationRole: 'app', directory, urls, migrate }
  const life = openLife(settings)
  await life.sql.unsafe(lifeTables)
  const closing: (() => unknown)[] = []
  return {
    desk: {
      ...{ tenantId: TENANT, token, request, verifier, authenticate },
      identity: await authenticate(request.headers),
      ...{ url, sql, owner, control, limitsUrl, migrate, directory },
      options: life.options,
      database: createTenantDatabase(sql),
      listItems: (tx) => tx<{ name: string }[]>`select name from items order by id`,
      ...{ issuer, tokenFor, requestWith, restock, life, aws },
      siloUrl(database) {
        const { role, password } = siloLogin(SILO_SECRET)(database.slice('tenant_'.length))
        return Object.assign(new URL(url), { username: role, password, pathname: database, search: '' }).href
      },
      later: (work) => void closing.unshift(work),
    },
    prepare: () => restock(TENANT),
    async close() {
      for (const work of closing) await work()
      await life.close()
      await Promise.all([place.close(), issuer.close(), aws.close()])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
