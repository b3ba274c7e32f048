/**
 * Key pairs of the environments of tests. Making one takes 70 ms of CPU, and a run needs some thousands, so those that
 * the run has made at its start are used again, by each process once: environments that meet have different keys.
 */
import { createPrivateKey, createPublicKey, type KeyPairKeyObjectResult, randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { newKeyPair } from './signing-key.ts'

const VARIABLE = 'TENANTRY_TEST_KEY_PAIRS'

/** @returns what the processes of the run have to find in their environment */
export async function makeTestKeyPairs(file: string, count: number): Promise<Record<string, string>> {
  const pairs = await Promise.all(Array.from({ length: count }, newKeyPair))
  const texts = pairs.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(file, JSON.stringify(texts), { mode: 0o600 })
  return { [VARIABLE]: file }
}

let left: string[] | undefined

/** One that no other environment of this process has. */
export async function testKeyPair(): Promise<KeyPairKeyObjectResult> {
  const file = process.env[VARIABLE]
  left ??= file === undefined ? [] : (JSON.parse(readFileSync(file, 'utf8')) as string[])
  const [text] = left.length === 0 ? [] : left.splice(randomInt(left.length), 1)
  if (text === undefined) return newKeyPair()
  const privateKey = createPrivateKey(text)
  return { privateKey, publicKey: createPublicKey(privateKey) }
}
