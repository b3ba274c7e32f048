/** What the cryptography alone costs on this machine: CPU per RS256 signature and per Argon2id hash, nothing around them. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { hashPassword } from '@tenantry/identity/upstream/database/password.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
// As long as the signing input of a client_credentials token.
const input = randomBytes(480)

const WORK = {
  signature: () =>
    new Promise<void>((resolve, reject) =>
      sign('sha256', input, privateKey, (error) => (error ? reject(error) : resolve())),
    ),
  hash: async () => void (await hashPassword('three random words')),
}

process.on('message', async ({ work, milliseconds }: { work: keyof typeof WORK; milliseconds: number }) => {
  const before = process.cpuUsage()
  const started = performance.now()
  let count = 0
  // As many at once as the thread pool takes.
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (performance.now() - started < milliseconds) {
        await WORK[work]()
        count++
      }
    }),
  )
  const { user, system } = process.cpuUsage(before)
  process.send!((user + system) / count)
})
process.on('disconnect', () => process.exit(0))
