/** Fixture of the definitions' tests: a world in which two issuers exist and everything else is unreachable. */
import type { LoadOptions } from './load.ts'

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
