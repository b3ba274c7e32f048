/**
 * `@tenantry/tenancy/prisma`: the kit over Prisma with its adapter for node-postgres. `tx` is Prisma's own interactive
 * transaction; its BEGIN takes the tenant along, which is why the adapter's pool must be a `tenantPool`.
 */
import { carrying } from './pg-pool.ts'
import { type Driver, type TenantDatabase, type TenantDatabaseOptions, tenantDatabaseOver } from './tenant-database.ts'
import { untilBegun } from './transaction.ts'

export { tenantPool } from './pg-pool.ts'

/** Of an interactive transaction, in ms. Prisma's own defaults are 2,000 and 5,000. */
export interface TransactionLimits {
  /** To wait for a connection. */
  maxWait?: number
  /** To run; afterwards Prisma rolls back. */
  timeout?: number
}

/** What every generated client has, whatever its models. */
export interface PrismaLike {
  // biome-ignore lint/suspicious/noExplicitAny: generated clients take functions of their own type only, and that is none of ours.
  $transaction<T>(work: (tx: any) => Promise<T>, limits?: TransactionLimits): Promise<T>
  $queryRawUnsafe<T>(text: string, ...parameters: unknown[]): PromiseLike<T>
  $disconnect(): Promise<void>
}

/** The client inside a transaction, as Prisma types it (`Prisma.TransactionClient`). */
export type PrismaTx<Client> = Omit<Client, '$connect' | '$disconnect' | '$on' | '$use' | '$extends'>

/**
 * @param prisma whose adapter works on a `tenantPool` of the application's role. Outside of `inTenant` it sees no rows.
 * @example
 * import { PrismaPg } from '@prisma/adapter-pg'
 * import { Pool } from 'pg'
 * import { PrismaClient } from './generated/prisma/client.ts'
 *
 * const adapter = new PrismaPg(tenantPool(new Pool({ connectionString: url })))
 * const database = createTenantDatabase(new PrismaClient({ adapter }))
 * await withIdentity(identity, () => database.inTenant((tx) => tx.item.findMany({ select: { name: true } })))
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export const createTenantDatabase = <Client extends PrismaLike>(
  prisma: Client,
  { limits, ...options }: TenantDatabaseOptions & { limits?: TransactionLimits } = {},
): TenantDatabase<PrismaTx<Client>> => tenantDatabaseOver(prismaDriver(prisma, limits), options)

/** The kit's port over Prisma. */
export const prismaDriver = <Client extends PrismaLike>(
  prisma: Client,
  limits?: TransactionLimits,
): Driver<PrismaTx<Client>> => ({
  inScope: (scope, work) =>
    untilBegun((attempt) =>
      carrying(scope, (assertTaken) =>
        prisma.$transaction(async (tx: unknown) => {
          assertTaken()
          attempt.begun = true
          return work(tx as PrismaTx<Client>)
        }, limits),
      ),
    ),
  query: <R>(text: string, parameters: unknown[] = []) =>
    Promise.resolve(prisma.$queryRawUnsafe<R[]>(text, ...parameters)),
  end: () => prisma.$disconnect(),
})
