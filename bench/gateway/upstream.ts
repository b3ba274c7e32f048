/** The upstream both sides proxy to: as little as answers HTTP/1.1, so that it is never what is measured. */
import net from 'node:net'

const body = JSON.stringify({ id: 1, title: 'measure before you believe', done: false, tenant: 'acme', version: 3 })
const reply = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\r\n\r\n')
    rest = parts.pop() ?? ''
    if (parts.length > 0) socket.write(reply.repeat(parts.length), 'latin1')
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'))
