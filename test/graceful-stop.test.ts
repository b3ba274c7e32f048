/** SIGTERM under load: what is under way is answered whole, idle connections are closed, and the process ends by itself. */
import assert from 'node:assert/strict'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Installation, startInstallation } from './journeys/installation.ts'

let installation: Installation
before(async () => {
  installation = await startInstallation()
})
after(async () => {
  await installation?.stop()
})

interface Outcome {
  status: number
  text: string
}

/** Rejects when no answer came, or only a part of one. */
function ask(agent: Agent, path: string, form?: Record<string, string>): Promise<Outcome> {
  const body = form ? new URLSearchParams(form).toString() : undefined
  const headers = body ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  return new Promise((resolve, reject) => {
    const url = new URL(path, installation.quickstart.httpIssuer)
    const outgoing = request(url, { agent, method: body ? 'POST' : 'GET', headers }, (answer: IncomingMessage) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve({ status: answer.statusCode!, text }))
      answer.on('aborted', () => reject(new Error('the answer was torn')))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** A connection to the address, on which nothing is said. */
function open(address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(address).port), 'localhost')
    socket.once('connect', () => resolve(socket))
    socket.on('error', reject)
  })
}

test('SIGTERM under load tears no answer, closes idle connections, and ends by itself with code 0', async () => {
  const { quickstart, process: server } = installation
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const idle = new Agent({ keepAlive: true })
  await ask(idle, '/healthz')
  const idleSocket = Object.values(idle.freeSockets)[0]![0]!
  const idleClosed = new Promise((resolve) => idleSocket.once('close', resolve))

  const form = {
    grant_type: 'client_credentials',
    audience: quickstart.managementAudience,
    ...quickstart.managementClient,
  }
  const tally = { whole: 0, refused: 0 }
  let over = false
  const work = async () => {
    while (!over) {
      try {
        const { status, text } = await ask(agent, '/oauth/token', form)
        assert.equal(status, 200, text)
        assert.equal(JSON.parse(text).token_type, 'Bearer')
        tally.whole++
      } catch (error) {
        // After the signal, a request that was never taken up: refused, or sent on a connection that was just closed.
        const { code } = error as NodeJS.ErrnoException
        assert.ok(code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE', String(error))
        assert.notEqual((error as Error).message, 'the answer was torn')
        assert.ok(signalled, `before the signal: ${error}`)
        tally.refused++
        await delay(50)
      }
    }
  }
  let signalled = false
  const workers = Array.from({ length: 16 }, work)
  for (const worker of workers) worker.catch(() => {})
  while (tally.whole < 100) await delay(10)
  const ended = new Promise<number | null>((resolve) => server.once('exit', resolve))
  signalled = true
  const whole = tally.whole
  server.kill('SIGTERM')
  const code = await Promise.race([ended, delay(120_000, 'still running', { ref: false })])
  over = true
  await Promise.all(workers)
  assert.equal(code, 0)
  await idleClosed
  assert.ok(tally.whole >= whole)
  agent.destroy()
  idle.destroy()
})

test('a second signal does not wait for the first', async () => {
  const second = await startInstallation()
  const ended = new Promise<number | null>((resolve) => second.process.once('exit', resolve))
  const { issuer, controlPlaneUrl } = second.quickstart
  // A connection that says nothing holds the stop up, before PostgreSQL's turn.
  const silent = await open(issuer)
  second.process.kill('SIGTERM')
  // Its first act is seen: of two signals that are both waiting, the one with the lower number is the first.
  while (
    await open(controlPlaneUrl)
      .then((socket) => socket.destroy())
      .catch(() => undefined)
  )
    await delay(5)
  second.process.kill('SIGINT')
  assert.equal(await ended, 130)
  silent.destroy()
  // PostgreSQL is left behind by that, on purpose; the next start of the same directory ends it, and stops in order.
  const third = await startInstallation({ directory: second.directory, environment: second.environment })
  assert.equal(await third.stop(), 0)
  await second.stop()
})
