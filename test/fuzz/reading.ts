/**
 * Our reading of requests beside Node's: the same bytes, in the same pieces, to both. What we read as a request Node must
 * read as the same request; where we refuse what Node reads, we are merely stricter.
 */
import http from 'node:http'
import { duplexPair } from 'node:stream'
import { connectClient, type ReadRequest, refusalOf, settled, write } from '@tenantry/gateway/inbound/fixture.ts'
import { createAttack, type Token } from './grammar.ts'
import { createRandom } from './random.ts'

export interface Reading {
  readonly attacks: number
  /** Requests that both have read. */
  readonly alike: number
  /** Attacks of which Node has read more than we did. */
  readonly stricter: number
  /** Empty when all is well. */
  readonly faults: readonly string[]
}

const tokens: readonly Token[] = Array.from({ length: 8 }, (_, n) => ({ text: `token-${n}`, isValid: true }))

/** @param attacks how many connections to compare */
export async function compareReadings(seed: number, attacks: number): Promise<Reading> {
  const faults: string[] = []
  let alike = 0
  let stricter = 0
  let marks = 0
  for (let n = 0; n < attacks && faults.length < 5; n++) {
    const random = createRandom(seed + n)
    const { bytes } = createAttack(random, tokens, () => ++marks)
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const size = random.once(2) ? bytes.length : 1 + random.int(bytes.length)
      pieces.push(bytes.subarray(at, at + size))
      at += size
    }
    const client = connectClient()
    await write(client, ...pieces)
    const ours = untilUpgrade(client.requests)
    const theirs = untilUpgrade(await readByNode(pieces))
    const isSame = (request: ReadRequest, at: number): boolean => JSON.stringify(request) === JSON.stringify(theirs[at])
    alike += ours.length
    if (ours.length < theirs.length) stricter++
    if (ours.every(isSame)) continue
    faults.push(
      `seed ${seed + n}: ${JSON.stringify(bytes.toString('latin1'))} is read by us as ${JSON.stringify(ours)}, ` +
        `by Node as ${JSON.stringify(theirs)}`,
    )
  }
  return { attacks, alike, stricter, faults }
}

// Behind a request to switch protocols Node's parser waits for somebody who speaks the other one.
function untilUpgrade(requests: readonly ReadRequest[]): readonly ReadRequest[] {
  const at = requests.findIndex(({ headers }) => headers.some((name) => name.toLowerCase() === 'upgrade'))
  return at === -1 ? requests : requests.slice(0, at + 1)
}

async function readByNode(pieces: readonly Buffer[]): Promise<readonly ReadRequest[]> {
  const requests: ReadRequest[] = []
  const server = http.createServer({
    requireHostHeader: false,
    maxHeaderSize: 1 << 20,
    connectionsCheckingInterval: 1e9,
  })
  server.maxHeadersCount = 0
  const [side, other] = duplexPair()
  let isOver = false
  // What was read before still gets its body.
  const end = (): void => {
    isOver = true
  }
  const read = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const { method = '', url = '', httpVersion, rawHeaders } = request
    if (isOver) return
    if (refusalOf(rawHeaders, httpVersion) !== null) {
      end()
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      requests.push({
        method,
        url,
        version: httpVersion,
        headers: rawHeaders,
        body: Buffer.concat(chunks).toString('latin1'),
      })
      response.end()
    })
  }
  server.on('request', read)
  server.on('checkContinue', read)
  for (const event of ['checkExpectation', 'connect', 'clientError']) server.on(event, end)
  server.emit('connection', other)
  other.on('error', () => undefined)
  side.on('error', () => undefined).resume()
  for (const piece of pieces) {
    if (!side.destroyed) side.write(piece)
    await settled()
  }
  other.destroy()
  server.close()
  return requests
}
