/**
 * Claim: one process issues RS256 tokens by client_credentials at no less than half the rate at which this machine can
 * sign at all.
 *
 * Numerator: POST /oauth/token over keep-alive connections from a second process (this one), everything on: client
 * authentication, client grant, CORS, log. Denominator: crypto.sign on the thread pool with the same key size and nothing
 * else, in a process of its own. Both in turn, in one run, order reversed each round; medians. The load generator shares
 * the machine's cores with the server, which lowers the numerator.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { connect } from 'node:net'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'

const ROUNDS = 7
const WINDOW_MS = 2500
const CONNECTIONS = 16
const TARGET = 0.5

interface Ready {
  port: number
  host: string
  body: string
}

const child = (file: string): ChildProcess =>
  fork(fileURLToPath(new URL(`client-credentials/${file}`, import.meta.url)), { execArgv: ['--no-node-snapshot'] })

const message = <T>(from: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    from.once('message', (value) => resolve(value as T))
    from.once('exit', (code) => reject(new Error(`A process of the measurement ended with code ${code}.`)))
  })

const server = child('server.ts')
const signer = child('signer.ts')
const ready = await message<Ready>(server)

const rows: { round: number; tokens: number; signatures: number; ratio: number }[] = []
// Compilation at run time takes some seconds to settle; a server has been up for longer than that.
await measureTokens(ready, 5000)
for (let round = 1; round <= ROUNDS; round++) {
  const first = round % 2 === 1
  const tokens = first ? await measureTokens(ready, WINDOW_MS) : 0
  const signatures = await measureSignatures()
  const rate = first ? tokens : await measureTokens(ready, WINDOW_MS)
  rows.push({
    round,
    tokens: Math.round(rate),
    signatures: Math.round(signatures),
    ratio: Number((rate / signatures).toFixed(3)),
  })
}
server.disconnect()
signer.disconnect()

console.table(rows)
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const result = {
  claim: 'client_credentials per second / crypto.sign per second, RS256',
  tokensPerSecond: median(rows.map(({ tokens }) => tokens)),
  signaturesPerSecond: median(rows.map(({ signatures }) => signatures)),
  ratio: median(rows.map(({ ratio }) => ratio)),
  target: `>= ${TARGET}`,
  load: loadavg().map((value) => Number(value.toFixed(2))),
  node: process.version,
}
console.log(JSON.stringify(result))
console.log(result.ratio >= TARGET ? 'met' : 'MISSED')

async function measureSignatures(): Promise<number> {
  signer.send({ milliseconds: WINDOW_MS })
  return message<number>(signer)
}

/** Requests one after the other on each connection; the answer's length is known, so nothing is parsed but its head. */
async function measureTokens({ port, host, body }: Ready, milliseconds: number): Promise<number> {
  const request = `POST /oauth/token HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const started = performance.now()
  const until = started + milliseconds
  const counts = await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      () =>
        new Promise<number>((resolve, reject) => {
          let count = 0
          let seen = ''
          const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request))
          socket.setEncoding('latin1')
          socket.on('error', reject)
          socket.on('data', (chunk: string) => {
            seen += chunk
            const end = seen.indexOf('\r\n\r\n')
            if (end < 0) return
            const length = Number(/content-length: (\d+)/i.exec(seen)?.[1])
            if (seen.length < end + 4 + length) return
            if (!seen.startsWith('HTTP/1.1 200')) return reject(new Error(seen.slice(0, 400)))
            count++
            seen = ''
            if (performance.now() < until) socket.write(request)
            else {
              socket.destroy()
              resolve(count)
            }
          })
        }),
    ),
  )
  return (counts.reduce((sum, count) => sum + count, 0) * 1000) / (performance.now() - started)
}
