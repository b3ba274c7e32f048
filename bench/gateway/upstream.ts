/**
 * The upstream everybody proxies to: as little as answers HTTP/1.1, so that it is never what is measured. Below `/pets/`
 * it answers with what it was sent, which is how the behaviour table sees the claim headers.
 */
import net from 'node:net'

const answer = (body: string): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
const reply = answer(
  JSON.stringify({ id: 1, title: 'measure before you believe', done: false, tenant: 'acme', version: 3 }),
)

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\r\n\r\n')
    rest = parts.pop() ?? ''
    if (parts.length === 1 && parts[0]!.startsWith('GET /pets/')) socket.write(answer(parts[0]!), 'latin1')
    else if (parts.length > 0) socket.write(reply.repeat(parts.length), 'latin1')
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'))
