import assert from 'node:assert/strict'
import { createPrivateKey, type webcrypto, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { addSeconds } from '@tenantry/kernel/clock.ts'
import { ensureLocalCertificate } from './local-certificate.ts'

const DAY = 86_400

describe('the local certificate', () => {
  let directory = ''
  let now = new Date()
  const ensure = () => ensureLocalCertificate({ directory, clock: { now: () => now } })
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'tenantry-certificate-')), 'tls')
    now = new Date()
  })
  afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }))

  /** One request to a server with that certificate, by a client that trusts the authority and nothing else. */
  const visit = async (tls: { cert: string; key: string }, ca: string, host: string, servername?: string) => {
    const server = createServer(tls, (_request, response) => response.end('hello'))
    server.listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      return await new Promise<string>((resolve, reject) => {
        const asked = request({ host, port, ca, agent: false, ...(servername ? { servername } : {}) }, (response) => {
          response.setEncoding('utf8').once('data', resolve)
        })
        asked.once('error', reject).end()
      })
    } finally {
      server.close()
      server.closeAllConnections()
    }
  }

  test('is accepted for localhost and the loopback addresses by a client that trusts only its authority', async () => {
    const { caFile, cert, key } = await ensure()
    const ca = readFileSync(caFile, 'utf8')
    assert.equal(await visit({ cert, key }, ca, '127.0.0.1'), 'hello')
    assert.equal(await visit({ cert, key }, ca, 'localhost'), 'hello')
    assert.equal(await visit({ cert, key }, ca, '::1'), 'hello')
    assert.equal(
      new X509Certificate(cert).subjectAltName,
      'DNS:localhost, DNS:*.localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    )
    await assert.rejects(visit({ cert, key }, ca, '127.0.0.1', 'bank.example'), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  test('is not accepted by a client that does not trust the authority', async () => {
    const { cert, key } = await ensure()
    rmSync(directory, { recursive: true })
    const other = readFileSync((await ensure()).caFile, 'utf8')
    await assert.rejects(visit({ cert, key }, other, '127.0.0.1'), /certificate|issuer/)
  })

  test('keeps its keys to its owner, and itself over calls', async () => {
    const first = await ensure()
    assert.equal(statSync(join(directory, 'ca.key')).mode & 0o777, 0o600)
    assert.equal(statSync(join(directory, 'localhost.key')).mode & 0o777, 0o600)
    assert.deepEqual(await ensure(), first)
    assert.equal(first.caFile, join(directory, 'ca.pem'))
    assert.equal(readFileSync(join(directory, 'localhost.pem'), 'utf8'), first.cert)
  })

  test('is renewed within 30 days of its end by the same authority, which is renewed likewise', async () => {
    const first = await ensure()
    const ca = readFileSync(first.caFile, 'utf8')
    const end = new X509Certificate(first.cert).validToDate
    now = addSeconds(end, -31 * DAY)
    assert.equal((await ensure()).cert, first.cert)
    now = addSeconds(end, -29 * DAY)
    const second = await ensure()
    assert.notEqual(second.cert, first.cert)
    assert.equal(readFileSync(second.caFile, 'utf8'), ca)
    assert.ok(new X509Certificate(second.cert).validToDate > addSeconds(now, 396 * DAY))

    now = addSeconds(new X509Certificate(ca).validToDate, -29 * DAY)
    const third = await ensure()
    const renewed = readFileSync(third.caFile, 'utf8')
    assert.notEqual(renewed, ca)
    assert.ok(new X509Certificate(third.cert).verify(new X509Certificate(renewed).publicKey))
  })

  test('is made anew when damaged, or when its key is another', async () => {
    const first = await ensure()
    writeFileSync(join(directory, 'localhost.pem'), 'damaged')
    const second = await ensure()
    assert.notEqual(second.cert, first.cert)
    writeFileSync(join(directory, 'localhost.key'), first.key)
    const third = await ensure()
    assert.notEqual(third.cert, second.cert)
    assert.ok(new X509Certificate(third.cert).checkPrivateKey(createPrivateKey(third.key)))
  })

  test('comes from an authority that no client believes about any other name', async () => {
    const { caFile } = await ensure()
    const forged = await forge(join(directory, 'ca.key'), caFile, 'bank.example', now)
    await assert.rejects(
      visit(forged, readFileSync(caFile, 'utf8'), '127.0.0.1', 'bank.example'),
      /permitted subtree violation/,
    )
    const honest = await forge(join(directory, 'ca.key'), caFile, 'app.localhost', now)
    assert.equal(await visit(honest, readFileSync(caFile, 'utf8'), '127.0.0.1', 'app.localhost'), 'hello')
  })
})

/** What a thief of the authority's key would make. */
async function forge(keyFile: string, caFile: string, name: string, now: Date) {
  const x509 = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const pem = (key: ArrayBuffer) => x509.PemConverter.encode(key, 'PRIVATE KEY')
  const signingKey = await crypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(readFileSync(keyFile, 'utf8')),
    algorithm,
    false,
    ['sign'],
  )
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: new x509.X509Certificate(readFileSync(caFile, 'utf8')).subjectName,
    notBefore: addSeconds(now, -60),
    notAfter: addSeconds(now, DAY),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
  })
  return { cert: certificate.toString('pem'), key: pem(await crypto.subtle.exportKey('pkcs8', keys.privateKey)) }
}
