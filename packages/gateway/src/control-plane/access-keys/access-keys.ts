/** The keys that sign requests to the control plane. Each belongs to an environment and may do everything in it. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { randomBase32, randomDigits, randomText } from '@tenantry/kernel/id.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import * as store from './store.ts'

/** Whose APIs a request is about. */
export interface Caller {
  readonly environmentId: string
  /** Twelve digits. */
  readonly accountId: string
}

export interface AccessKeys {
  /** Read each time: a key that was removed is refused from then on. */
  find(id: string): Promise<{ readonly caller: Caller; readonly secret: string } | null>
}

export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of the environment: twelve digits in ARNs. */
  readonly accountId: string
}

interface KeyDeps {
  readonly database: Database
  readonly secrets: Secrets
}

const contextOf = (environmentId: string, id: string): string => `${environmentId}/gateway-access-key/${id}`

export function createAccessKeys({ database, secrets }: KeyDeps): AccessKeys {
  return {
    async find(id) {
      const row = await database.acrossEnvironments('find the environment of an access key', (sql) =>
        store.find(sql, id),
      )
      if (row === undefined) return null
      const caller = { environmentId: row.environment_id, accountId: row.account_id }
      return { caller, secret: secrets.open(contextOf(row.environment_id, id), row.secret) }
    },
  }
}

/** The environment's first key and its account, made where they are missing. */
export async function ensureAccessKey({ database, secrets }: KeyDeps, environmentId: string): Promise<AccessKey> {
  return database.inEnvironment(environmentId, async (tx) => {
    await store.insertAccount(tx, environmentId, randomDigits(12))
    const [account] = await store.lockAccount(tx)
    const accountId = account!.id
    const known = await store.oldest(tx)
    if (known !== undefined) {
      const secretAccessKey = secrets.open(contextOf(environmentId, known.id), known.secret)
      return { accessKeyId: known.id, secretAccessKey, accountId }
    }
    const key = { accessKeyId: `AKIA${randomBase32(16)}`, secretAccessKey: randomText(40), accountId }
    const secret = secrets.seal(contextOf(environmentId, key.accessKeyId), key.secretAccessKey)
    await store.insert(tx, { id: key.accessKeyId, environment_id: environmentId, secret })
    return key
  })
}
