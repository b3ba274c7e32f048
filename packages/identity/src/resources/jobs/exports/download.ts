/**
 * The file of an export, for whoever holds its link: browsers and command lines follow it without a token. The link ends
 * a day after the export, and answers like one that never was from then on, as it does in any other environment.
 */
import { Readable } from 'node:stream'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { logProblem, toProblem } from '@tenantry/kernel/http/server.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { renderRefusal } from '../../management-api.ts'
import { readPieces } from '../files.ts'
import { FILE_SECONDS, problems } from '../rules.ts'
import * as store from '../store.ts'

const Link = Exact({ handle: Type.String({ minLength: 43, maxLength: 43 }), file: Type.String({ maxLength: 32 }) })

export const fileName = (format: 'json' | 'csv') => `users.${format}.gz`

export const exportDownloads: Slice<{ database: Database; secrets: Secrets; clock: Clock }> = (deps) => async (app) => {
  const { database, clock } = deps
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    logProblem(request.log, problem)
    return reply.code(problem.status).send(renderRefusal(problem))
  })
  app.get('/exports/:handle/:file', { schema: { params: Link, querystring: Exact({}) } }, async (request, reply) => {
    const { handle, file } = request.params
    const job = await database.inEnvironment(request.environment.id, (tx) => store.findByLink(tx, hashHandle(handle)))
    const alive = job?.finished_at && clock.now() < addSeconds(job.finished_at, FILE_SECONDS)
    if (!alive || job.type !== 'users_export' || file !== fileName(job.settings.format)) {
      throw problems.inexistent_export()
    }
    return reply
      .headers({
        'content-type': 'application/gzip',
        'content-disposition': `attachment; filename="${file}"`,
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      })
      .send(Readable.from(readPieces(deps, job), { objectMode: false }))
  })
}
