import type { IncomingMessage } from 'node:http'
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api, Slice } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import * as connections from '../../connections/store.ts'
import { refusals } from '../../management-api.ts'
import { writePieces } from '../files.ts'
import { problems, shown } from '../rules.ts'
import { Job } from '../schema.ts'
import * as store from '../store.ts'
import { ImportBody } from './schema.ts'
import { MAXIMUM_FILE_BYTES, readUpload } from './upload.ts'

/** A sender that says nothing for so long is gone. */
const UPLOAD_SECONDS = 600

export const userImports: Slice<{ database: Database; secrets: Secrets; clock: Clock }> = (deps) => async (app) => {
  const { database, clock } = deps
  // In a part of its own: nothing else reads forms with files.
  await app.register(async (instance) => {
    const api = instance as unknown as Api
    api.removeAllContentTypeParsers()
    api.addContentTypeParser('multipart/form-data', async (_request: unknown, body: IncomingMessage) => body)
    // The form is checked when it has arrived; what Fastify would check is the stream.
    const compile = app.validatorCompiler!
    api.setValidatorCompiler((part) => (part.httpPart === 'body' ? () => true : compile(part)))
    api.post(
      '/jobs/users-imports',
      {
        config: { scope: 'create:users' },
        bodyLimit: MAXIMUM_FILE_BYTES + 65_536,
        schema: {
          operationId: 'importUsers',
          summary: 'Import users from a JSON file, in the background',
          tags: ['jobs'],
          consumes: ['multipart/form-data'],
          body: ImportBody,
          response: { 202: Job, ...refusals(400, 413, 415, 429, 501) },
        },
      },
      async (request, reply) => {
        const environmentId = request.environment.id
        const job = { environment_id: environmentId, id: newId.job() }
        const body = request.body as unknown as IncomingMessage
        // What the tenant log keeps of the request: the fields, never the file.
        request.body = {} as typeof request.body
        await reserve(environmentId, job.id)
        try {
          const form = await readUpload(request.headers, body, (file) =>
            writePieces(deps, job, file, () => renew(environmentId, job.id)),
          )
          request.body = form as typeof request.body
          const row = await database.inEnvironment(environmentId, async (tx) => {
            const connection = await connections.find(tx, form.connection_id)
            if (!connection) throw problems.unknown_connection()
            if (connection.strategy !== 'auth0') throw problems.not_a_database()
            return store.release(tx, job.id, {
              connection_id: connection.id,
              external_id: form.external_id ?? null,
              settings: { upsert: form.upsert === 'true', notify: form.send_completion_email !== 'false' },
              now: clock.now(),
            })
          })
          if (!row) throw problems.upload_expired()
          return reply.code(202).send(shown(row, clock, undefined))
        } catch (error) {
          await database.inEnvironment(environmentId, (tx) => store.remove(tx, job.id))
          throw error
        }
      },
    )
  })

  /** @throws Problem `too_many_jobs` */
  const reserve = (environmentId: string, id: string) =>
    database.inEnvironment(environmentId, async (tx) => {
      const now = clock.now()
      await store.removeAbandoned(tx, now)
      const placed = await store.insert(tx, environmentId, {
        id,
        type: 'users_import',
        status: 'uploading',
        connection_id: null,
        settings: { upsert: false, notify: false },
        created_at: now,
        lease_until: addSeconds(now, UPLOAD_SECONDS),
      })
      if (!placed) throw problems.too_many_jobs({ facts: { what: 'import users' } })
    })

  const renew = (environmentId: string, id: string) =>
    database.inEnvironment(environmentId, (tx) => store.renewUpload(tx, id, addSeconds(clock.now(), UPLOAD_SECONDS)))
}
