/**
 * The client that Prisma generates for the tests' table. It is made once and kept under `.tenantry`, since it must stand
 * outside of node_modules (Node strips types only there) and inside the repository (it imports `@prisma/client`).
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const require = createRequire(import.meta.url)
const CLI = join(dirname(require.resolve('prisma/package.json')), 'build', 'index.js')
const KEPT = join(import.meta.dirname, '../../../../.tenantry/prisma')

/** What the tests use of it; the generated types are not there when types are checked. */
export interface PrismaItems {
  item: {
    findMany(query: object): Promise<{ name: string }[]>
    create(query: { data: { tenantId: string; id: string; name: string } }): Promise<unknown>
    updateMany(query: object): Promise<{ count: number }>
    deleteMany(query: object): Promise<{ count: number }>
  }
  $queryRawUnsafe<T>(text: string, ...parameters: unknown[]): Promise<T>
  $executeRawUnsafe(text: string, ...parameters: unknown[]): Promise<number>
  $transaction<T>(work: (tx: PrismaItems) => Promise<T>, limits?: object): Promise<T>
  $disconnect(): Promise<void>
}

export async function loadPrismaClient(): Promise<new (options: { adapter: unknown }) => PrismaItems> {
  const module = (await import(pathToFileURL(join(await prismaClient(), 'client.ts')).href)) as {
    PrismaClient: new (options: { adapter: unknown }) => PrismaItems
  }
  return module.PrismaClient
}

/** The folder of the generated client. */
export async function prismaClient(): Promise<string> {
  const schema = await readFile(join(import.meta.dirname, 'testdata/items.prisma'), 'utf8')
  const { version } = require('prisma/package.json') as { version: string }
  const home = join(KEPT, createHash('sha256').update(`${version}\n${schema}`).digest('hex').slice(0, 16))
  if (!existsSync(home)) await generate(schema, home)
  return join(home, 'client')
}

async function generate(schema: string, home: string): Promise<void> {
  await mkdir(KEPT, { recursive: true })
  const draft = await mkdtemp(join(KEPT, 'draft-'))
  try {
    await writeFile(join(draft, 'package.json'), '{ "private": true, "type": "module" }\n')
    await writeFile(
      join(draft, 'schema.prisma'),
      schema.replace('"prisma-client"', '"prisma-client"\n  output = "./client"'),
    )
    await promisify(execFile)(process.execPath, [CLI, 'generate', '--schema', 'schema.prisma'], {
      cwd: draft,
      env: {
        ...process.env,
        CHECKPOINT_DISABLE: '1',
        // The command would fetch its engine for migrations before doing anything, and generating does not use it.
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      },
    })
    await rename(draft, home).catch((error: NodeJS.ErrnoException) => {
      // Another test run has made the same one meanwhile.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}
