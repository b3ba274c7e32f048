/** STS, as in the kit's own tests, and a DynamoDB that has nothing and notes who asks; unmodified clients find both. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startSts } from '../../../packages/tenancy/src/aws/test-sts.ts'

export interface AwsServices {
  /** The ids of the access keys by which DynamoDB was asked. */
  askedBy: string[]
  close(): Promise<void>
}

export async function startAwsServices(): Promise<AwsServices> {
  const askedBy: string[] = []
  const sts = await startSts()
  const dynamo = createServer((request, response) => {
    askedBy.push(/Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '')
    request.resume().on('end', () => response.setHeader('content-type', 'application/x-amz-json-1.0').end('{}'))
  })
  await new Promise<void>((resolve) => dynamo.listen(0, '127.0.0.1', resolve))
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'AKIA-service',
    AWS_SECRET_ACCESS_KEY: 's',
    AWS_ENDPOINT_URL_STS: sts.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(dynamo.address() as AddressInfo).port}`,
  })
  return {
    askedBy,
    async close() {
      dynamo.closeAllConnections()
      await Promise.all([sts.close(), new Promise((resolve) => dynamo.close(resolve))])
    },
  }
}
