/** Opens the directory given, writes row after row and prints each number once its commit is acknowledged. */
import { connect } from '../../database.ts'
import { startEmbedded } from '../../embedded.ts'

const postgres = await startEmbedded({ directory: process.argv[2]! })
const sql = connect(postgres.urls.owner, 1)
await sql`create table if not exists written (number bigint generated always as identity)`
for (;;) {
  const [row] = await sql<{ number: string }[]>`insert into written default values returning number`
  process.stdout.write(`${row!.number}\n`)
}
