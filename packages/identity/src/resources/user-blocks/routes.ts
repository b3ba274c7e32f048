/**
 * Blocks that come from wrong passwords: of accounts (user-blocks) and of addresses (anomaly). They are counters of the
 * login, which end by themselves; here they are seen and lifted. An account need not exist to be blocked.
 */
import { isIP } from 'node:net'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { asker, type TenantLog } from '../../logs/tenant-log.ts'
import { accountLimits, createCounters } from '../attack-protection/counters.ts'
import type { ReadAttackProtection } from '../attack-protection/settings.ts'
import { comparableEmail } from '../email-address.ts'
import { refusals } from '../management-api.ts'
import * as users from '../users/store.ts'
import { Nothing } from '../wire.ts'
import { BlockedAddress, DeleteByIdentifier, ListByIdentifier, ListOfUser, UserBlocks, UserId } from './schema.ts'
import * as store from './store.ts'

export const problems = defineProblems({
  not_blocked: { status: 404, title: 'The IP address is not blocked.' },
  invalid_uri: { status: 400, title: 'Payload validation error: the id must be an IP address.' },
})

interface Dependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  attackProtection: ReadAttackProtection
  tenantLog: Pick<TenantLog, 'add'>
}

interface Account {
  identifier: string
  connection?: string
}

export const userBlocks: Slice<Dependencies> =
  ({ database, secrets, clock, attackProtection, tenantLog }) =>
  async (app) => {
    const counters = createCounters(secrets)
    // As the login reads what is typed.
    const hashOf = (identifier: string) => counters.account(comparableEmail(identifier.trim()))

    type Protection = Awaited<ReturnType<typeof attackProtection>>

    /** @param protection read before the transaction: loading it takes a connection of its own */
    async function blocksOf(tx: Tx, { bruteForce }: Protection, accounts: Account[], consider: boolean | undefined) {
      if (consider === true && !bruteForce.blocks) return { blocked_for: [] }
      const hashes = accounts.map(({ identifier }) => hashOf(identifier))
      const limits = accountLimits(bruteForce.settings)
      const rows = await store.blocksOf(tx, hashes, limits, clock.now())
      return {
        blocked_for: accounts.flatMap((account, index) =>
          rows
            .filter((row) => hashes[index]!.equals(row.account))
            .map(({ ip }) => ({ ...account, ...(ip === null ? {} : { ip }) })),
        ),
      }
    }

    /** @throws Problem `inexistent_user` */
    async function accountsOf(tx: Tx, userId: string): Promise<Account[]> {
      await users.get(tx, userId)
      return [...(await store.identifiersOf(tx, userId))]
    }

    app.get(
      '/user-blocks',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listBlocksByIdentifier',
          summary: 'List from where an account is blocked, by its address or name',
          tags: ['user-blocks'],
          querystring: ListByIdentifier,
          response: { 200: UserBlocks, ...refusals(400) },
        },
      },
      async ({ environment, query }) => {
        const protection = await attackProtection(environment.id)
        return database.inEnvironment(environment.id, (tx) =>
          blocksOf(tx, protection, [{ identifier: query.identifier }], query.consider_brute_force_enablement),
        )
      },
    )

    app.delete(
      '/user-blocks',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'deleteBlocksByIdentifier',
          summary: 'Let an account be tried again, by its address or name',
          tags: ['user-blocks'],
          querystring: DeleteByIdentifier,
          response: { 204: Type.Null(), ...refusals(400) },
        },
      },
      async (request, reply) => {
        const { environment, query } = request
        const cleared = await database.inEnvironment(environment.id, (tx) =>
          store.clearAccounts(tx, [hashOf(query.identifier)]),
        )
        const entry = { ...asker(request), user_name: query.identifier }
        if (cleared > 0) tenantLog.add(environment.id, { type: 'ublkdu', ...entry })
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/user-blocks/:id',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listUserBlocks',
          summary: 'List from where a user is blocked',
          tags: ['user-blocks'],
          params: UserId,
          querystring: ListOfUser,
          response: { 200: UserBlocks, ...refusals(400, 404) },
        },
      },
      async ({ environment, params, query }) => {
        const protection = await attackProtection(environment.id)
        return database.inEnvironment(environment.id, async (tx) =>
          blocksOf(tx, protection, await accountsOf(tx, params.id), query.consider_brute_force_enablement),
        )
      },
    )

    app.delete(
      '/user-blocks/:id',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'deleteUserBlocks',
          summary: 'Let a user try again',
          tags: ['user-blocks'],
          params: UserId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params } = request
        const cleared = await database.inEnvironment(environment.id, async (tx) => {
          const accounts = await accountsOf(tx, params.id)
          return store.clearAccounts(
            tx,
            accounts.map(({ identifier }) => hashOf(identifier)),
          )
        })
        const entry = { ...asker(request), user_id: params.id }
        if (cleared > 0) tenantLog.add(environment.id, { type: 'ublkdu', ...entry })
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/anomaly/blocks/ips/:id',
      {
        config: { scope: 'read:anomaly_blocks' },
        schema: {
          operationId: 'checkIpBlock',
          summary: 'Ask whether an IP address is blocked',
          tags: ['anomaly'],
          params: BlockedAddress,
          response: { 200: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        refuseOtherThanAddress(params.id)
        const { ipThrottling } = await attackProtection(environment.id)
        const { max_attempts, rate } = ipThrottling.settings.stage['pre-login']
        const after = new Date(clock.now().getTime() + (max_attempts - 1) * rate)
        const blocked =
          ipThrottling.blocks &&
          ipThrottling.counts(params.id) &&
          (await database.inEnvironment(environment.id, (tx) => store.isSpent(tx, counters.address(params.id), after)))
        if (!blocked) throw problems.not_blocked()
        return reply.code(200).send(undefined)
      },
    )

    app.delete(
      '/anomaly/blocks/ips/:id',
      {
        config: { scope: 'delete:anomaly_blocks' },
        schema: {
          operationId: 'deleteIpBlock',
          summary: 'Let an IP address try again',
          tags: ['anomaly'],
          params: BlockedAddress,
          response: { 204: Type.Null(), ...refusals(400) },
        },
      },
      async ({ environment, params }, reply) => {
        refuseOtherThanAddress(params.id)
        await database.inEnvironment(environment.id, (tx) => store.clearAddress(tx, counters.address(params.id)))
        return reply.code(204).send(null)
      },
    )
  }

function refuseOtherThanAddress(id: string): void {
  if (isIP(id) === 0) throw problems.invalid_uri()
}
