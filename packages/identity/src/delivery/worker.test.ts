import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { createDatabase } from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import { type Background, startBackground } from '../background.ts'
import { createEnvironment } from '../environments/environment.ts'
import { type MovableClock, movableClock } from '../testing.ts'
import { createOutbox } from './outbox.ts'
import { type SmtpServer, startSmtpServer } from './smtp-fixture.ts'

let database: Database
const secrets = createSecrets(Buffer.alloc(32, 7))
before(async () => {
  database = await createDatabase({ urls: testDatabase() })
})
after(() => database.close())

const setting = (smtp: SmtpServer) =>
  ({ kind: 'smtp', url: smtp.url, from: 'Stockroom <mail@stockroom.test>' }) as const

interface Post {
  environmentId: string
  clock: MovableClock
  smtp: SmtpServer
  add(recipient: string, organizationId?: string): Promise<void>
  rows(): Promise<Record<string, unknown>[]>
  /** Waits until the rows look as expected: marking follows the server's reply. */
  settled(expected: (row: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  start(): Promise<Background>
}

async function post(smtp: SmtpServer): Promise<Post> {
  // Workers serve all environments: nothing that is due may be left from another test.
  await database.acrossEnvironments(
    'empty the outbox',
    (sql) => sql`delete from messages where next_attempt_at is not null`,
  )
  const clock = movableClock()
  const { id } = await createEnvironment(database, { name: 'Test', origins: [`http://${newId.uuid()}.example.test`] })
  const outbox = createOutbox({ secrets, clock, mail: setting(smtp) })
  const rows = () =>
    database.inEnvironment(id, (tx) => tx`select delivered_at, attempts, last_error, next_attempt_at from messages`)
  return {
    environmentId: id,
    clock,
    smtp,
    rows,
    add: (recipient, organizationId) =>
      database.inEnvironment(id, (tx) =>
        outbox.add(tx, id, {
          recipient,
          organizationId,
          template: 'organization_invitation',
          subject: 'Anna invited you\r\nBcc: evil@example.test',
          html: '<p>secret link</p>',
          text: 'secret link',
        }),
      ),
    async settled(expected) {
      for (;;) {
        const [row] = await rows()
        if (row && expected(row)) return row
        await pause(50)
      }
    },
    start: () =>
      startBackground({
        egress: createEgress(),
        ownerUrl: testDatabase().owner,
        database,
        secrets,
        clock,
        logger: createLogger({ level: 'silent' }),
        mail: setting(smtp),
      }),
  }
}

test('mail goes out when its transaction is committed, to the one address, and is marked', async () => {
  const smtp = await startSmtpServer()
  const { add, start, settled, environmentId } = await post(smtp)
  const background = await start()
  try {
    await add('maria@example.test')
    await smtp.arrived(1)
    const row = await settled((row) => row.delivered_at !== null)
    assert.deepEqual(
      { attempts: row.attempts, last_error: row.last_error, next: row.next_attempt_at },
      {
        attempts: 1,
        last_error: null,
        next: null,
      },
    )
    const [mail] = smtp.received
    assert.equal(mail!.from, 'mail@stockroom.test')
    assert.deepEqual(mail!.to, ['maria@example.test'])
    assert.match(mail!.data, /^Subject: Anna invited you Bcc: evil@example\.test\r$/m)
    assert.doesNotMatch(mail!.data, /^Bcc:/m)
    assert.match(mail!.data, /^Auto-Submitted: auto-generated\r$/m)
    assert.match(mail!.data, /secret link/)
    const [stored] = await database.inEnvironment(environmentId, (tx) => tx`select body from messages`)
    assert.ok(!Buffer.from(stored!.body).includes('secret link'))
  } finally {
    await background.stop()
    await smtp.close()
  }
})

test('N125 mail in the name of a suspended organization waits, goes out when it is let in again, and goes with it when it is deleted', async () => {
  const smtp = await startSmtpServer()
  const { environmentId, add, rows, start } = await post(smtp)
  const [suspended, deleted] = ['org_suspended', 'org_deleted']
  const change = (work: Parameters<typeof database.inEnvironment<unknown>>[1]) =>
    database.inEnvironment(environmentId, work)
  for (const organizationId of [suspended, deleted]) {
    const row = {
      environment_id: environmentId,
      organization_id: organizationId,
      name: organizationId,
      display_name: 'x',
    }
    await change((tx) => tx`insert into organizations ${tx({ ...row, suspended_at: new Date() } as never)}`)
    await add(`${organizationId}@example.test`, organizationId)
  }
  const background = await start()
  try {
    await add('other@example.test')
    await smtp.arrived(1)
    while (!(await rows()).some((row) => row.delivered_at !== null)) await pause(50)
    assert.deepEqual(
      smtp.received.map(({ to }) => to),
      [['other@example.test']],
    )
    assert.deepEqual((await rows()).map(({ attempts }) => attempts).sort(), [0, 0, 1])

    await change((tx) => tx`delete from organizations where organization_id = ${deleted}`)
    await change((tx) => tx`update organizations set suspended_at = null where organization_id = ${suspended}`)
    await add('wakes@example.test')
    await smtp.arrived(3)
    const recipients = smtp.received.flatMap(({ to }) => to).sort()
    assert.deepEqual(recipients, [`${suspended}@example.test`, 'other@example.test', 'wakes@example.test'].sort())
    assert.equal((await rows()).length, 3)
  } finally {
    await background.stop()
    await smtp.close()
  }
})

test('a temporary refusal is recorded and tried again later, with the same Message-ID', async () => {
  const smtp = await startSmtpServer((_mail, count) => (count === 1 ? '451 try later' : '250 accepted'))
  const { add, clock, start, settled } = await post(smtp)
  const background = await start()
  try {
    await add('maria@example.test')
    const failed = await settled((row) => row.last_error !== null)
    assert.match(String(failed.last_error), /451 try later/)
    assert.equal(failed.delivered_at, null)
    assert.ok((failed.next_attempt_at as Date) > clock.now())
    clock.advance(61)
    await add('wakes@example.test')
    await smtp.arrived(3)
    await settled((row) => row.delivered_at !== null && row.last_error === null)
    const ids = smtp.received
      .filter((mail) => mail.to[0] === 'maria@example.test')
      .map((mail) => /^Message-ID: (.*)\r$/m.exec(mail.data)?.[1])
    assert.equal(ids.length, 2)
    assert.equal(ids[0], ids[1])
  } finally {
    await background.stop()
    await smtp.close()
  }
})

test('a final refusal is recorded and not repeated', async () => {
  const smtp = await startSmtpServer(() => '550 no such mailbox')
  const { add, clock, start, settled } = await post(smtp)
  const background = await start()
  try {
    await add('nobody@example.test')
    const row = await settled((row) => row.last_error !== null)
    assert.match(String(row.last_error), /550 no such mailbox/)
    assert.deepEqual([row.next_attempt_at, row.delivered_at], [null, null])
    clock.advance(61)
    await add('other@example.test')
    await smtp.arrived(2)
    assert.deepEqual(
      smtp.received.map((mail) => mail.to[0]),
      ['nobody@example.test', 'other@example.test'],
    )
  } finally {
    await background.stop()
    await smtp.close()
  }
})

test('a process that is killed between sending and marking loses nothing: the message is sent once more', async () => {
  const killed = Promise.withResolvers<void>()
  const smtp = await startSmtpServer((_mail, count) => {
    if (count > 1) return '250 accepted'
    child.once('exit', () => killed.resolve())
    child.kill('SIGKILL')
    return killed.promise.then(() => '250 accepted')
  })
  const { add, clock, start, settled, rows } = await post(smtp)
  const script = `
    import { createDatabase } from '@tenantry/kernel/database/database.ts'
    import { systemClock } from '@tenantry/kernel/clock.ts'
    import { createEgress } from '@tenantry/kernel/http/egress.ts'
    import { createLogger } from '@tenantry/kernel/logger.ts'
    import { createSecrets } from '@tenantry/kernel/secrets.ts'
    import { startBackground } from ${JSON.stringify(new URL('../background.ts', import.meta.url).href)}
    const urls = ${JSON.stringify(testDatabase())}
    await startBackground({
      egress: createEgress(), ownerUrl: urls.owner, database: await createDatabase({ urls }), secrets: createSecrets(Buffer.alloc(32, 7)),
      clock: systemClock, logger: createLogger({ level: 'silent' }), mail: ${JSON.stringify(setting(smtp))},
    })`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    await add('maria@example.test')
    await smtp.arrived(1)
    await killed.promise
    assert.deepEqual(
      (await rows()).map((row) => [row.delivered_at, row.attempts]),
      [[null, 1]],
    )
    clock.advance(61)
    const background = await start()
    try {
      await smtp.arrived(2)
      const row = await settled((row) => row.delivered_at !== null)
      assert.equal(row.attempts, 2)
      assert.deepEqual(
        smtp.received.map((mail) => mail.to[0]),
        ['maria@example.test', 'maria@example.test'],
      )
    } finally {
      await background.stop()
    }
  } finally {
    child.kill('SIGKILL')
    await smtp.close()
  }
})
