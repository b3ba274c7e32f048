/**
 * Requests at a fixed rate, whatever becomes of the answers: wrk sends the next one only after an answer, and so never
 * sees those that a slow moment would have made wait. Latency counts from the moment a request was due.
 */
import net from 'node:net'

export interface Pace {
  readonly port: number
  readonly token: string
  readonly perSecond: number
  readonly seconds: number
}

const { port, token, perSecond, seconds } = JSON.parse(process.argv[2]!) as Pace
const head = `GET /todos HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}\r\n\r\n`
const latencies: number[] = []
const idle: net.Socket[] = []
const due: number[] = []
const askedAt = new Map<net.Socket, number>()

for (let i = 0; i < 64; i++) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve)
  })
  let answer = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    answer += chunk
    const end = answer.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = Number(/content-length: (\d+)/i.exec(answer)?.[1])
    if (answer.length < end + 4 + length) return
    if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer)
    answer = ''
    latencies.push(performance.now() - askedAt.get(socket)!)
    idle.push(socket)
    send()
  })
  idle.push(socket)
}

function send(): void {
  while (due.length > 0 && idle.length > 0) {
    const socket = idle.pop()!
    askedAt.set(socket, due.shift()!)
    socket.write(head, 'latin1')
  }
}

const start = performance.now()
const total = Math.floor(perSecond * seconds)
let planned = 0
const tick = (): void => {
  const until = performance.now()
  while (planned < total && start + (planned * 1000) / perSecond <= until) {
    due.push(start + (planned * 1000) / perSecond)
    planned++
  }
  send()
  if (latencies.length < total) setTimeout(tick, 1)
  else {
    const sorted = latencies.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)]!
    process.send?.({ p50: at(0.5), p99: at(0.99) })
    process.disconnect()
    process.exit()
  }
}
tick()
