/**
 * Users: people, each in one connection. Sub-resources sit in folders of their own beside this file: roles, permissions,
 * organizations, identities, factors.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import type { Outbox } from '../../delivery/outbox.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import { asker, type TenantLog } from '../../logs/tenant-log.ts'
import { hashPassword } from '../../upstream/database/password.ts'
import { demandsOf } from '../../upstream/database/policy.ts'
import * as clients from '../clients/store.ts'
import * as connections from '../connections/store.ts'
import { isEmailAddress } from '../email-address.ts'
import { problems as managementProblems, refusals } from '../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../paging.ts'
import { parseLucene } from '../search/lucene.ts'
import { sendTicketMail } from '../tickets/mail.ts'
import { FieldsQuery, pick } from '../wire.ts'
import type { AccountActions } from './account-actions.ts'
import { pictured } from './avatar.ts'
import { refusalOfPassword } from './passwords/rules.ts'
import * as passwords from './passwords/store.ts'
import {
  changed,
  endsAccess,
  ownIdentity,
  problems,
  refuseCreation,
  refuseForeign,
  refuseWeak,
  registered,
  requireWhatSignsIn,
  shown,
} from './rules.ts'
import { CreateUser, UpdateUser, User, UserFilter, UserId } from './schema.ts'
import * as store from './store.ts'

const tags = ['users']

export interface UsersDependencies {
  database: Database
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
  accountActions: AccountActions
}

export const users: Slice<UsersDependencies> =
  ({ database, clock, outbox, tenantLog, accountActions }) =>
  async (app) => {
    app.get(
      '/users',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listUsers',
          summary: 'List and search users',
          tags,
          querystring: Exact({ ...OffsetQuery, ...FieldsQuery, ...UserFilter }),
          response: { 200: PageAnswer('users', User), ...refusals(400, 503) },
        },
      },
      async (request) => {
        const { connection, sort, q } = request.query
        const page = pageOf(request.query)
        const query = q ? parseLucene(q) : undefined
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.list(tx, page, { connection, sort, query }),
        )
        return answer(
          'users',
          page,
          found,
          (row) => row.user_id,
          (row) => pick(shown(pictured(request.environment.issuer, row)), request.query),
        )
      },
    )

    app.get(
      '/users-by-email',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listUsersByEmail',
          summary: 'Find the users with an e-mail address',
          tags,
          querystring: Exact({ ...FieldsQuery, email: Type.String({ minLength: 1, maxLength: 320 }) }),
          response: { 200: Type.Array(User), ...refusals(400) },
        },
      },
      async (request) => {
        const { email } = request.query
        if (!isEmailAddress(email)) {
          throw problems.invalid_body({ facts: { reason: "'email' is not an e-mail address." } })
        }
        const rows = await database.inEnvironment(request.environment.id, (tx) => store.listByEmail(tx, email))
        return rows.map((row) => pick(shown(pictured(request.environment.issuer, row)), request.query))
      },
    )

    app.post(
      '/users',
      {
        config: { scope: 'create:users' },
        schema: {
          operationId: 'createUser',
          summary: 'Create a user: in a database with a password, or for codes by mail or text message',
          tags,
          body: CreateUser,
          response: { 201: User, ...refusals(400, 409, 501) },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        const connection = await database.inEnvironment(environment.id, (tx) =>
          connections.findByName(tx, body.connection),
        )
        if (!connection) throw problems.unknown_connection()
        requireWhatSignsIn(body, connection)
        refuseCreation(body, connection)
        const row = registered(body, connection, await firstHash(environment.id, body, connection), clock.now())
        const identities = [ownIdentity(row, connection.name)]
        const user = { ...row, connection: connection.name, identities }
        const mailed = await database.inEnvironment(environment.id, async (tx) => {
          await store.insert(tx, environment.id, row)
          return askToVerify(tx, environment, user, body)
        })
        if (mailed) tenantLog.add(environment.id, { type: 'svr', ...who(user), ...asker(request) })
        accountActions.afterRegistration({ environment, asker: asker(request), connection }, user)
        return reply.code(201).send(shown(pictured(environment.issuer, user)))
      },
    )

    app.get(
      '/users/:id',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'getUser',
          summary: 'Get a user',
          tags,
          params: UserId,
          querystring: Exact(FieldsQuery),
          response: { 200: User, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))
        return pick(shown(pictured(request.environment.issuer, row)), request.query)
      },
    )

    app.patch(
      '/users/:id',
      {
        config: { scope: ['update:users', 'update:users_app_metadata'] },
        schema: {
          operationId: 'updateUser',
          summary: 'Change a user; a new password or a block ends every session and refresh token',
          tags,
          params: UserId,
          body: UpdateUser,
          response: { 200: User, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request) => {
        const { environment, params, body, callerScopes } = request
        if (!callerScopes.has('update:users') && Object.keys(body).some((member) => member !== 'app_metadata')) {
          throw managementProblems.insufficient_scope({ facts: { scopes: 'update:users' } })
        }
        const now = clock.now()
        const passwordHash =
          body.password === undefined ? undefined : await newHash(environment.id, params.id, body.password, body)
        const { row, connection, moved, mailed } = await database.inEnvironment(environment.id, async (tx) => {
          const current = await store.lock(tx, params.id)
          const connection = await connections.get(tx, current.connection_id)
          const next = {
            ...changed(current, body, connection, passwordHash, now),
            connection: current.connection,
            identities: current.identities,
          }
          if (passwordHash !== undefined) {
            const { history } = demandsOf(connection.options)
            await passwords.remember(tx, environment.id, params.id, history, now)
          }
          await store.save(tx, next)
          const why = endsAccess(body)
          if (why) await store.endAccess(tx, params.id, now, why)
          const mailed = await askToVerify(tx, environment, next, body)
          return { row: next, connection, moved: next.email !== current.email, mailed }
        })
        const happened = { ...who(row), ...asker(request) }
        if (moved) tenantLog.add(environment.id, { type: 'sce', ...happened })
        if (passwordHash !== undefined) {
          tenantLog.add(environment.id, { type: 'scp', ...happened })
          accountActions.afterPasswordChange({ environment, asker: asker(request), connection }, row)
        }
        if (mailed) tenantLog.add(environment.id, { type: 'svr', ...happened })
        return shown(pictured(environment.issuer, row))
      },
    )

    app.delete(
      '/users/:id',
      {
        config: { scope: 'delete:users' },
        schema: {
          operationId: 'deleteUser',
          summary: 'Delete a user with everything that hangs on them',
          tags,
          params: UserId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, request.params.id))
        if (!gone) throw problems.inexistent_user()
        tenantLog.add(request.environment.id, { type: 'sdu', ...asker(request), user_id: request.params.id })
        return reply.code(204).send(null)
      },
    )

    /** @returns whether a mail was written in this transaction. @throws Problem `inexistent_client` */
    async function askToVerify(
      tx: Tx,
      environment: RequestEnvironment,
      user: store.UserWithConnection,
      asked: { verify_email?: boolean; client_id?: string | null },
    ): Promise<boolean> {
      const { email } = user
      if (asked.verify_email !== true || !email || user.email_verified) return false
      const client = asked.client_id ? await clients.get(tx, asked.client_id) : undefined
      return sendTicketMail({ clock, outbox }, tx, 'verify_email', { environment, user: { ...user, email }, client })
    }

    /** Hashing takes as long as many queries: no transaction is held open for it. */
    async function firstHash(environmentId: string, person: CreateUser, { options }: connections.ConnectionRow) {
      const { password: plain } = person
      if (plain === undefined) return null
      refuseWeak(await refusalOfPassword({ database }, { environmentId, options, plain, person }))
      return hashPassword(plain)
    }

    /** Checked against the user as they will be, and hashed before the transaction that changes them. */
    async function newHash(environmentId: string, userId: string, password: string, change: UpdateUser) {
      const { row, connection } = await database.inEnvironment(environmentId, async (tx) => {
        const row = await store.get(tx, userId)
        return { row, connection: await connections.get(tx, row.connection_id) }
      })
      refuseForeign(change, connection)
      const { options } = connection
      const person = { ...row, ...change }
      refuseWeak(await refusalOfPassword({ database }, { environmentId, options, plain: password, person, userId }))
      return hashPassword(password)
    }
  }

const who = ({ user_id, email, connection, connection_id }: store.UserWithConnection) => ({
  user_id,
  user_name: email,
  connection,
  connection_id,
})
