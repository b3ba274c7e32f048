import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { issue, type TestCertificate } from './test-certificates.ts'
import { readTruststore } from './truststore.ts'

describe('a truststore', () => {
  const chain: TestCertificate[] = []
  before(async () => {
    chain.push(await issue({ name: 'ca-0', isAuthority: true }))
    for (const n of [1, 2, 3, 4]) chain.push(await issue({ name: `ca-${n}`, issuer: chain[n - 1]!, isAuthority: true }))
  })
  const read = (...parts: TestCertificate[]) =>
    readTruststore(parts.map(({ cert }) => cert).join('# comment\n'), Date.now())

  it('holds whole chains of at most four authorities, in any order', () => {
    assert.equal(read(chain[0]!).authorities.length, 1)
    assert.equal(read(chain[3]!, chain[1]!, chain[0]!, chain[2]!).authorities.length, 4)
    assert.equal(read(chain[0]!, chain[0]!).authorities.length, 1)
    assert.throws(() => read(...chain), /the chain above "CN=ca-4" is longer than 4/)
    assert.throws(() => read(chain[0]!, chain[2]!), /lacks the issuer of "CN=ca-2"/)
    assert.throws(() => readTruststore('', 0), /holds no certificate/)
    assert.throws(
      () => readTruststore(chain[0]!.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), 0),
      /certificate 1 of the truststore cannot be read/,
    )
  })

  it('holds no certificate of a server or client, and one per subject', async () => {
    const leaf = await issue({ name: 'leaf', issuer: chain[0]! })
    assert.throws(() => read(chain[0]!, leaf), /"CN=leaf" in the truststore is no certificate of an authority/)
    const twin = await issue({ name: 'ca-0', isAuthority: true })
    assert.throws(() => read(chain[0]!, twin), /two certificates for "CN=ca-0"/)
    const impostor = await issue({ name: 'ca-1', issuer: twin, isAuthority: true })
    assert.throws(() => read(chain[0]!, impostor), /lacks the issuer of "CN=ca-1"/)
  })

  it('holds nothing weak', async () => {
    const small = await issue({ name: 'small', isAuthority: true, algorithm: 'rsa1024' })
    assert.throws(() => read(small), /"CN=small" in the truststore has a rsa key of 1024 size/)
    const old = await issue({ name: 'old', isAuthority: true, algorithm: 'sha1' })
    assert.throws(() => read(old), /"CN=old" in the truststore is signed with sha1/i)
    const strong = await issue({ name: 'strong', isAuthority: true, algorithm: 'rsa2048' })
    assert.deepEqual(read(strong).warnings, [])
  })

  it('may hold what is not valid now, and says so', async () => {
    const past = await issue({ name: 'past', isAuthority: true, days: [-9, -1] })
    const future = await issue({ name: 'future', isAuthority: true, days: [1, 9] })
    const { warnings } = read(past, future)
    assert.deepEqual(warnings, [
      '"CN=past" has expired: no client of it is let in',
      '"CN=future" is not valid yet: no client of it is let in',
    ])
  })
})
