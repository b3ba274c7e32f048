/** An SMTP server for tests: enough of RFC 5321 for a client to deliver mail, with replies that the test decides. */
import { createServer, type Socket } from 'node:net'

export interface Received {
  from: string
  to: string[]
  /** The message as it came over the wire, without the final dot. */
  data: string
}

export interface SmtpServer {
  url: string
  received: Received[]
  /** Resolves when this many messages have arrived. */
  arrived(count: number): Promise<void>
  close(): Promise<void>
}

/** @param answer the reply to a complete message; `250 …` accepts it. Called before the reply is sent. */
export async function startSmtpServer(
  answer: (message: Received, count: number) => string | Promise<string> = () => '250 accepted',
): Promise<SmtpServer> {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  let waiting: { count: number; resolve: () => void }[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    const reply = (line: string) => void (socket.destroyed || socket.write(`${line}\r\n`))
    let buffer = ''
    let message: Received = { from: '', to: [], data: '' }
    let inData = false
    reply('220 test ESMTP')
    socket.on('data', async (chunk: Buffer) => {
      buffer += chunk.toString('utf8')
      if (inData) {
        const end = buffer.indexOf('\r\n.\r\n')
        if (end < 0) return
        message.data = buffer.slice(0, end)
        buffer = buffer.slice(end + 5)
        inData = false
        received.push(message)
        const line = await answer(message, received.length)
        message = { from: '', to: [], data: '' }
        reply(line)
        waiting = waiting.filter(({ count, resolve }) => received.length < count || resolve())
      }
      for (let at = buffer.indexOf('\r\n'); at >= 0 && !inData; at = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, at)
        buffer = buffer.slice(at + 2)
        const verb = line.slice(0, 4).toUpperCase()
        if (verb === 'EHLO' || verb === 'HELO') reply('250 test')
        else if (verb === 'MAIL') {
          message.from = /<(.*?)>/.exec(line)?.[1] ?? ''
          reply('250 ok')
        } else if (verb === 'RCPT') {
          message.to.push(/<(.*?)>/.exec(line)?.[1] ?? '')
          reply('250 ok')
        } else if (verb === 'DATA') {
          inData = true
          reply('354 go on')
        } else if (verb === 'QUIT') {
          reply('221 bye')
          socket.end()
        } else reply('250 ok')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    arrived: (count) =>
      received.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push({ count, resolve })
          }),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
