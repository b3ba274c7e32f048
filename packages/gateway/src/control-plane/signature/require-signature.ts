import { parseJson } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { type VerifyDeps, verifySignature } from './verify.ts'

/**
 * Every route below is for signed requests alone. A body is kept as it came until its signature holds; only then is it
 * read.
 */
export function requireSignature(app: Api, deps: VerifyDeps): void {
  app.decorateRequest('signedBy', null as never)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => body,
  )
  app.addHook('preValidation', async (request) => {
    const { method = '', url = '', rawHeaders } = request.raw
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    request.signedBy = await verifySignature({ method, target: url, rawHeaders }, body, deps)
    // A presigned address carries its signature among the members of the operation.
    const query = request.query as Record<string, unknown>
    for (const name of Object.keys(query)) if (/^x-amz-/i.test(name)) delete query[name]
    // Clients say that nothing is JSON, too, where an operation takes no members.
    request.body = body.length === 0 ? undefined : parseJson(body)
  })
}
