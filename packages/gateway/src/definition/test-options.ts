/** Fixture of the definitions' tests: a world in which two issuers exist and everything else is unreachable. */
import assert from 'node:assert/strict'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { Authorization } from '../api.ts'
import { type LoadedDefinition, type LoadOptions, loadDefinition } from './load.ts'
import { type Finding, sayFinding } from './report.ts'

const issuers = ['https://id.example.test/', 'https://pool-1.example.test/']

export const testOptions: LoadOptions = {
  id: 'golden',
  file: 'in.yaml',
  variables: { 'AWS::Region': 'eu-north-1', Pool: 'pool-1' },
  stageVariables: { backend: 'backend.example.test:8080', alias: 'live' },
  imports: { audience: 'https://api.example.test' },
  discover: async (url) => {
    const issuer = issuers.find((known) => url === `${known}.well-known/openid-configuration`)
    if (issuer === undefined) throw new Error(`${url} does not answer`)
    return { issuer, jwksUri: `${issuer}jwks.json` }
  },
}

/** Loads a definition whose files are given by their paths. */
export const loadText = (
  text: string,
  files: Readonly<Record<string, string>> = {},
  options: Partial<LoadOptions> = {},
): Promise<LoadedDefinition> =>
  loadDefinition(text, {
    ...testOptions,
    ...options,
    readFile: (path) => files[path] ?? assert.fail(`no file is called ${path}`),
  })

/** Why a definition is refused, a line for each finding. */
export async function refusal(text: string, files: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const error: unknown = await loadText(text, files).then(
    () => assert.fail('it is accepted'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof Problem)) throw error
  return (error.facts.findings as readonly Finding[]).map(sayFinding)
}

/** What each route of the only API asks of a caller: `open`, or the authorizer and its scopes. */
export function callersOf({ apis: [api, ...others] }: LoadedDefinition): Readonly<Record<string, string>> {
  assert.deepEqual(others, [])
  const said = (authorization: Authorization): string => {
    if (authorization.type === 'NONE') return 'open'
    const scopes = authorization.type === 'JWT' ? authorization.scopes : []
    return [authorization.authorizer, ...scopes].join(' ')
  }
  return Object.fromEntries(api!.routes.map(({ key, authorization }) => [key, said(authorization)]))
}
