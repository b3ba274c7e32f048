/** What the machine can sign: RS256 on the thread pool, as many at once as the server has connections. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
// As long as the signing input of a client_credentials token.
const input = randomBytes(480)

process.on('message', ({ milliseconds }: { milliseconds: number }) => {
  const started = performance.now()
  let count = 0
  let running = 16
  const next = () =>
    sign('sha256', input, privateKey, (error) => {
      if (error) throw error
      count++
      if (performance.now() - started < milliseconds) return next()
      running--
      if (running === 0) process.send!((count * 1000) / (performance.now() - started))
    })
  for (let index = 0; index < 16; index++) next()
})
process.on('disconnect', () => process.exit(0))
