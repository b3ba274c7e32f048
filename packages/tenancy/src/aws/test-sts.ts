/** What speaks STS's wire (query protocol) to an unmodified client, hands out credentials and records who asked for what. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Recorded {
  parameters: Record<string, string>
  /** The id of the access key that the call was signed with; undefined for an unsigned one. */
  signedBy: string | undefined
}

export async function startSts() {
  const calls: Recorded[] = []
  const state = { failing: false, delayMs: 0, seconds: 900, now: () => new Date() }
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const parameters = Object.fromEntries(new URLSearchParams(text))
      const signedBy = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1]
      calls.push({ parameters, signedBy })
      const answer = () => {
        response.setHeader('content-type', 'text/xml')
        if (state.failing) return void response.writeHead(403).end(refusal)
        const name = parameters.Action!
        const end = new Date(state.now().getTime() + state.seconds * 1000).toISOString()
        // The key's id says whose it is, so that other services can tell.
        const key = `ASIA-${parameters.RoleSessionName}-${calls.length}`
        const fields = `<AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${end}</Expiration>`
        response.end(
          `<${name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${name}Result><Credentials>${fields}</Credentials></${name}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${name}Response>`,
        )
      }
      setTimeout(answer, state.delayMs)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    state,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

const refusal =
  '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>'
