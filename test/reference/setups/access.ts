/** Who may call: tokens, suspended organizations, AWS, the proof of isolation. */
import assert from 'node:assert/strict'
import { openapi, startBrokenApi } from '../../isolation/broken-api/broken-api.ts'
import { tokenOf } from '../../isolation/broken-api/tokens.ts'
import type { Desk } from '../desk.ts'
import { setup } from './setup.ts'

const ISSUER = 'https://login.example.com'

/** An organization that is suspended, one of its callers, and the client of a machine that may know it. */
async function suspension({ issuer, tokenFor, requestWith }: Desk) {
  const { organizationId, ...credentials } = await issuer.suspended()
  return { ...credentials, organizationId, request: requestWith(await tokenFor({ org_id: organizationId })) }
}

const wasTested = ({ tested }: { tested: boolean }) => tested

interface Question {
  form?: Record<string, string>
  headers?: Record<string, string>
}

export const accessSetups = {
  'tenancy createSuspensions': setup({ given: suspension }),
  'tenancy/suspension-feed followSuspensions': setup({
    async given(desk) {
      const { organizationId, clientId, clientSecret } = await suspension(desk)
      return {
        organizationId,
        url: `${ISSUER}/api/v2/suspended-organizations`,
        credentials: {
          ...{ tokenUrl: `${ISSUER}/oauth/token`, clientId, clientSecret },
          ...{ audience: `${ISSUER}/api/v2/`, scope: 'read:organizations_summary' },
        },
        async ask(url: string, { form, headers = {} }: Question): Promise<unknown> {
          const answer = await fetch(url, form ? { method: 'POST', body: new URLSearchParams(form) } : { headers })
          if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status })
          return answer.json()
        },
      }
    },
  }),
  'tenancy/aws createTenantCredentials': setup({
    verify: ({ aws, tenantId }) => assert.match(aws.askedBy.join(), new RegExp(`^ASIA-tenant-${tenantId}-\\d+$`)),
  }),
  'tenancy/proof proveIsolation': setup({
    async given({ later }) {
      const api = await startBrokenApi()
      later(() => api.close())
      const { paths, ...rest } = openapi as { paths: Record<string, unknown> }
      // Of its routes, those of one thing: all of them take a second and more.
      const few = Object.fromEntries(
        Object.entries(paths).filter(([path]) => /^\/projects(\/\{projectId\})?$/.test(path)),
      )
      return {
        openapi: { ...rest, paths: few },
        baseUrl: api.url,
        tokens: { a: tokenOf('tn1234567890ab'), b: tokenOf('tn1234567890cd') },
      }
    },
    // Without this, finding nothing could mean having looked at nothing.
    verify: (_, { proof }) => assert.deepEqual([proof.routes.length, proof.routes.every(wasTested)], [5, true]),
  }),
}
