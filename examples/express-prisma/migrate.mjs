// Runs the files of migrations/ that have not run yet, each in a transaction.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'

const client = new Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
await client.query('create table if not exists migrations (file text primary key)')
for (const file of globSync('*.sql', { cwd: join(import.meta.dirname, 'migrations') }).sort()) {
  await client.query('begin')
  const { rowCount } = await client.query('insert into migrations values ($1) on conflict do nothing', [file])
  if (rowCount === 1) {
    await client.query(readFileSync(join(import.meta.dirname, 'migrations', file), 'utf8'))
    console.log(`ran ${file}`)
  }
  await client.query('commit')
}
await client.end()
