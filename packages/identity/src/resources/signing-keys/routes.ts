/**
 * Signing keys. Rotating makes the next key the current one; tokens of the previous one are still good, because it stays
 * among the published keys until it is revoked. Every process learns of a change from the database's announcement.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { makeSigningKey } from '../../keys/signing-key.ts'
import * as keys from '../../keys/store.ts'
import { refusals } from '../management-api.ts'
import { certified, problems, refuseRevocation, shown } from './rules.ts'
import { KeyCertificate, KeyId, SigningKey } from './schema.ts'

const tags = ['keys']

export const signingKeys: Slice<{ database: Database; secrets: Secrets; clock: Clock }> =
  ({ database, secrets, clock }) =>
  async (app) => {
    app.get(
      '/keys/signing',
      {
        config: { scope: 'read:signing_keys' },
        schema: {
          operationId: 'listSigningKeys',
          summary: 'List the signing keys, the current one first',
          tags,
          response: { 200: Type.Array(SigningKey), ...refusals() },
        },
      },
      async ({ environment }) => (await database.inEnvironment(environment.id, (tx) => keys.all(tx))).map(shown),
    )

    app.get(
      '/keys/signing/:kid',
      {
        config: { scope: 'read:signing_keys' },
        schema: {
          operationId: 'getSigningKey',
          summary: 'Get a signing key',
          tags,
          params: KeyId,
          response: { 200: SigningKey, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }) => {
        const row = await database.inEnvironment(environment.id, (tx) => keys.find(tx, params.kid))
        if (!row) throw problems.inexistent_signing_key()
        return shown(row)
      },
    )

    app.post(
      '/keys/signing/rotate',
      {
        config: { scope: 'create:signing_keys' },
        schema: {
          operationId: 'rotateSigningKeys',
          summary: 'Sign with the next key from now on',
          tags,
          response: { 201: KeyCertificate, ...refusals() },
        },
      },
      async ({ environment }, reply) => {
        // Making a key takes long: no transaction is held open for it.
        const fresh = await makeSigningKey({ secrets, clock }, environment.id, 'next')
        const current = await database.inEnvironment(environment.id, (tx) =>
          keys.rotate(tx, environment.id, fresh, clock.now()),
        )
        // Whatever its age, the key that signs gives way: an administrator may rotate as often as they like.
        return reply.code(201).send(certified(current!))
      },
    )

    app.put(
      '/keys/signing/:kid/revoke',
      {
        config: { scope: 'update:signing_keys' },
        schema: {
          operationId: 'revokeSigningKey',
          summary: 'Revoke a previous key: its tokens are worthless at once',
          tags,
          params: KeyId,
          response: { 200: KeyCertificate, ...refusals(400, 404, 409) },
        },
      },
      async ({ environment, params }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const revoked = await keys.revoke(tx, params.kid, clock.now())
          return revoked ? certified(revoked) : refuseRevocation(await keys.find(tx, params.kid))
        }),
    )
  }
