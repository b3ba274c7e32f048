import assert from 'node:assert/strict'
import https from 'node:https'
import net from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import tls from 'node:tls'
import type { Api } from '../api.ts'
import { type Bench, type Received, standardDocument, startBench } from '../test-gateway.ts'
import type { Domain } from './domain.ts'
import { issue, type TestCertificate } from './test-certificates.ts'

interface Ask {
  readonly sni?: string
  readonly host?: string
  readonly client?: TestCertificate
  readonly headers?: Record<string, string>
  readonly options?: tls.ConnectionOptions
  readonly agent?: https.Agent
}

describe('TLS at the gateway', () => {
  let bench: Bench
  let port: number
  let root: TestCertificate
  let devices: TestCertificate
  let device: TestCertificate
  let stranger: TestCertificate
  const certificates: Record<string, TestCertificate> = {}
  const closers: https.Agent[] = []

  before(async () => {
    root = await issue({ name: 'servers', isAuthority: true })
    devices = await issue({ name: 'Device CA', isAuthority: true })
    device = await issue({ name: 'device-7', issuer: devices })
    stranger = await issue({ name: 'device-7', issuer: await issue({ name: 'Device CA', isAuthority: true }) })
    for (const host of ['open.test', 'next.test', '*.open.test', 'mutual.test', '*.mutual.test', 'other.test']) {
      certificates[host] = await issue({ name: host, issuer: root, hosts: [host] })
    }
    bench = await startBench(standardDocument, { domains: all() })
    port = (await bench.gateway.listenTls(0, '127.0.0.1')).port
    await bench.serve(standardDocument, {
      requestParameters: {
        'overwrite:header.x-subject': '$context.identity.clientCert.subjectDN',
        'overwrite:header.x-issuer': '$context.identity.clientCert.issuerDN',
        'overwrite:header.x-until': '$context.identity.clientCert.validity.notAfter',
      },
    })
  })
  after(async () => {
    for (const agent of closers) agent.destroy()
    bench.gateway.secureServer.closeAllConnections()
    await bench.close()
  })
  afterEach(() => {
    bench.upstream.seen.length = 0
    bench.gateway.replaceDomains(all())
  })

  const domain = (name: string, truststore: string | null = null): Domain => ({
    name,
    certificate: certificates[name]!,
    truststore,
  })
  const all = (): Domain[] => [
    ...[domain('open.test'), domain('next.test'), domain('*.open.test')],
    ...[domain('mutual.test', devices.cert), domain('*.mutual.test', devices.cert)],
  ]
  const ask = ({
    sni = 'open.test',
    host = sni,
    client,
    headers = {},
    options = {},
    agent,
  }: Ask): Promise<Received & { subject: string; isReused: boolean }> =>
    new Promise((resolve, reject) => {
      const identity = client === undefined ? {} : { cert: client.cert, key: client.key }
      const request = https.request(
        {
          host: '127.0.0.1',
          port,
          path: '/open/a',
          servername: sni,
          ca: root.cert,
          agent: agent ?? false,
          headers: { ...headers, host },
          ...identity,
          ...options,
        } as https.RequestOptions,
        (response) => {
          const chunks: Buffer[] = []
          const subject = String((response.socket as tls.TLSSocket).getPeerCertificate().subject?.CN)
          response
            .on('data', (chunk: Buffer) => chunks.push(chunk))
            .on('end', () => {
              const body = Buffer.concat(chunks).toString()
              const { headers, statusCode: status = 0 } = response
              // The agent has the connection back a moment later.
              setImmediate(() => resolve({ status, headers, body, subject, isReused: request.reusedSocket }))
            })
        },
      )
      request.on('error', reject).end()
    })
  const refused = async (options: Ask, status: number, isSameConnection = false): Promise<void> => {
    const { body, headers, status: found, isReused } = await ask(options)
    assert.equal(isReused, isSameConnection)
    assert.equal(found, status, body)
    assert.match(body, status === 421 ? /^\{"message":"Misdirected Request"\}$/ : /^\{"message":"Forbidden"\}$/)
    assert.match(headers['apigw-requestid'] as string, /=$/)
    assert.equal(headers.connection, 'close')
    assert.equal(bench.upstream.seen.length, 0)
  }

  it('shows each name the certificate of its domain, and none to a name that is no domain', async () => {
    for (const [sni, shown] of [
      ['open.test', 'open.test'],
      ['next.test', 'next.test'],
      ['a.open.test', '*.open.test'],
      ['OPEN.test', 'open.test'],
    ] as const) {
      const answer = await ask({ sni })
      assert.deepEqual([answer.status, answer.subject], [200, shown])
    }
    assert.equal(bench.upstream.seen[0]?.headers['x-forwarded-proto'], 'https')
    for (const sni of ['unknown.test', 'a.b.open.test', 'test', ''])
      await assert.rejects(ask({ sni, host: 'open.test' }), sni)
  })

  it('speaks TLS 1.2 and 1.3, nothing older, and HTTP/1.1 alone', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      assert.equal((await ask({ options: { minVersion: version, maxVersion: version } })).status, 200)
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await assert.rejects(ask({ options: old }), /version|unsupported|alert/i)
    const spoken = (ALPNProtocols: string[]) =>
      new Promise((resolve, reject) => {
        const socket = tls.connect(
          { port, host: '127.0.0.1', servername: 'open.test', ca: root.cert, ALPNProtocols },
          () => {
            resolve(socket.alpnProtocol)
            socket.destroy()
          },
        )
        socket.on('error', reject)
      })
    assert.equal(await spoken(['h2', 'http/1.1']), 'http/1.1')
    await assert.rejects(spoken(['h2']), /no application protocol|alert/i)
    const plain = net.connect(port, '127.0.0.1')
    plain.write('GET / HTTP/1.1\r\nhost: open.test\r\n\r\n')
    const received = await new Promise<string>((resolve) => {
      let text = ''
      plain
        .on('data', (bytes) => {
          text += bytes.toString('latin1')
        })
        .on('close', () => resolve(text))
        .on('error', () => undefined)
    })
    assert.doesNotMatch(received, /HTTP/)
  })

  it('shows a replaced certificate from the next handshake on, and keeps the old one when the new one is unusable', async () => {
    certificates['next.test'] = await issue({ name: 'renewed', issuer: root, hosts: ['next.test'] })
    bench.gateway.replaceDomains(all())
    assert.equal((await ask({ sni: 'next.test' })).subject, 'renewed')
    const mixed = { ...domain('next.test'), certificate: { cert: certificates['next.test'].cert, key: device.key } }
    assert.throws(() => bench.gateway.replaceDomains([mixed]), /the domain "next\.test" cannot be served/)
    assert.throws(() => bench.gateway.replaceDomains([domain('open.test'), domain('open.test')]), /defined twice/)
    assert.throws(() => bench.gateway.replaceDomains([{ ...domain('open.test'), name: 'Open.test' }]), /lower case/)
    assert.equal((await ask({ sni: 'next.test' })).subject, 'renewed')
    bench.gateway.replaceDomains([domain('open.test')])
    await assert.rejects(ask({ sni: 'next.test' }))
  })

  it('lets a client with a certificate of the truststore in, and says who it is', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { status } = await ask({ sni: 'mutual.test', client: device, options: { maxVersion } })
      assert.equal(status, 200)
      const { headers } = bench.upstream.seen.pop()!
      assert.deepEqual([headers['x-subject'], headers['x-issuer']], ['CN=device-7', 'CN=Device CA'])
      assert.match(headers['x-until'] as string, /^[A-Z][a-z]{2} {1,2}\d+ \d\d:\d\d:\d\d \d{4} GMT$/)
    }
    assert.equal((await ask({ sni: 'a.mutual.test', client: device })).status, 200)
    assert.equal((await ask({ sni: 'a.mutual.test', host: 'b.mutual.test:8443', client: device })).status, 200)
  })

  it('N218 refuses a client without certificate, of another authority of the same name, expired, or weak', async () => {
    await refused({ sni: 'mutual.test' }, 403)
    await refused({ sni: 'mutual.test', client: stranger }, 403)
    await refused({ sni: 'mutual.test', client: await issue({ name: 'old', issuer: devices, days: [-9, -1] }) }, 403)
    await refused({ sni: 'mutual.test', client: await issue({ name: 'soon', issuer: devices, days: [1, 9] }) }, 403)
    await refused({ sni: 'mutual.test', client: await issue({ name: 'self' }) }, 403)
    const weak = await issue({ name: 'weak', issuer: devices, algorithm: 'rsa1024' })
    await refused({ sni: 'mutual.test', client: weak, options: { ciphers: 'DEFAULT@SECLEVEL=0' } }, 403).catch(
      (error) => {
        // OpenSSL may end the handshake itself.
        assert.notEqual(error.name, 'AssertionError')
      },
    )
    assert.equal(bench.upstream.seen.length, 0)
  })

  it('N218 refuses a certificate that an ordinary certificate has signed', async () => {
    const forged = await issue({ name: 'forged', issuer: device })
    const client = { ...forged, cert: forged.cert + device.cert }
    await refused({ sni: 'mutual.test', client }, 403)
  })

  it('N217 N218 refuses a request for a domain with mutual TLS over any other handshake, and the reverse', async () => {
    await refused({ sni: 'open.test', host: 'mutual.test' }, 421)
    await refused({ sni: 'open.test', host: 'mutual.test', client: device }, 421)
    await refused({ sni: 'open.test', host: 'A.Mutual.Test:443' }, 421)
    await refused({ sni: 'mutual.test', host: 'open.test', client: device }, 421)
    await refused({ sni: 'mutual.test', host: 'a.mutual.test', client: device }, 421)
    await refused({ sni: 'mutual.test', host: 'unknown.test', client: device }, 421)
    assert.equal((await ask({ sni: 'open.test', host: 'next.test' })).status, 200)
    const plain = await bench.send({ path: '/open/a', headers: { host: 'mutual.test' } })
    assert.deepEqual([plain.status, plain.body], [421, '{"message":"Misdirected Request"}'])
  })

  it('N218 tells nothing of a certificate that nobody has verified, and drops what clients say of theirs', async () => {
    const headers = {
      'client-cert': ':MII=:',
      client_cert: ':MII=:',
      'x-amzn-mtls-clientcert': 'x',
      'x-forwarded-client-cert': 'x',
      'x-subject': 'CN=admin',
    }
    assert.equal((await ask({ sni: 'open.test', client: device, headers })).status, 200)
    const text = JSON.stringify(bench.upstream.seen[0]!.headers)
    assert.doesNotMatch(text, /cert|x-subject/i)
  })

  it('CVE-2025-23419 resumes no session, neither there nor at another domain', async () => {
    const handshake = (servername: string, session?: Buffer) =>
      new Promise<{ session: Buffer | undefined; isReused: boolean }>((resolve, reject) => {
        let ticket: Buffer | undefined
        let isReused = false
        const options = {
          port,
          host: '127.0.0.1',
          servername,
          ca: root.cert,
          cert: device.cert,
          key: device.key,
          session,
        }
        const socket = tls.connect(options as tls.ConnectionOptions, () => {
          isReused = socket.isSessionReused()
          socket.write(`GET /open/a HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`)
        })
        socket.on('session', (found) => {
          ticket = found
        })
        socket.on('data', () => undefined).on('error', reject)
        socket.on('close', () => resolve({ session: ticket ?? socket.getSession(), isReused }))
      })
    const first = await handshake('open.test')
    for (const name of ['open.test', 'mutual.test'])
      assert.equal((await handshake(name, first.session)).isReused, false)
    const mutual = await handshake('mutual.test')
    assert.equal((await handshake('mutual.test', mutual.session)).isReused, false)
  })

  it('gives a connection up when the truststore that let it in is replaced', async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    closers.push(agent)
    const options = { sni: 'mutual.test', client: device, agent }
    assert.equal((await ask(options)).status, 200)
    bench.gateway.replaceDomains([domain('open.test'), domain('mutual.test', root.cert)])
    bench.upstream.seen.length = 0
    await refused(options, 421, true)
    await refused(options, 403)
    bench.gateway.replaceDomains([domain('mutual.test')])
    assert.equal((await ask({ sni: 'mutual.test' })).status, 200)
  })

  it('refuses a certificate that expires while its connection is open', async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    closers.push(agent)
    assert.equal((await ask({ sni: 'mutual.test', client: device, agent })).status, 200)
    bench.upstream.seen.length = 0
    bench.clock.advance(100 * 86_400)
    await refused({ sni: 'mutual.test', client: device, agent }, 403, true)
    bench.clock.advance(-100 * 86_400)
  })

  it('N218 closes a domain whose clients need certificates while nothing here can check them', async () => {
    const { api } = await bench.load(standardDocument)
    const endpoint = { host: 'open.test', basePath: '', kind: 'mapping' } as const
    bench.gateway.replace([{ ...api, endpoints: [endpoint] }])
    assert.equal((await ask({ sni: 'open.test' })).status, 200)
    bench.upstream.seen.length = 0
    bench.gateway.replace([{ ...api, endpoints: [{ ...endpoint, truststoreUri: 's3://authorities/devices.pem' }] }])
    await assert.rejects(ask({ sni: 'open.test', client: device }))
    await refused({ sni: 'next.test', host: 'open.test' }, 421)
    const plain = await bench.send({ path: '/open/a', headers: { host: 'open.test' } })
    assert.deepEqual([plain.status, plain.body], [421, '{"message":"Misdirected Request"}'])
    // Once there is a truststore it decides.
    bench.gateway.replaceDomains([...all().slice(1), domain('open.test', devices.cert)])
    assert.equal((await ask({ sni: 'open.test', client: device })).status, 200)
    bench.upstream.seen.length = 0
    await refused({ sni: 'open.test' }, 403)
    bench.gateway.replace([api])
  })

  it('warns of an API that also answers past its mutual TLS', async () => {
    const { api } = await bench.load(standardDocument)
    const endpoints: Api['endpoints'] = [
      { host: 'mutual.test', basePath: '', kind: 'mapping' },
      { host: 'id1.api.test', basePath: '', kind: 'stage' },
    ]
    const warned = () => bench.logLines.filter(({ msg }) => /past its mutual TLS/.test(String(msg))).length
    bench.gateway.replace([{ ...api, endpoints, disableExecuteApiEndpoint: true }])
    assert.equal(warned(), 0)
    bench.gateway.replace([{ ...api, endpoints }])
    assert.equal(warned(), 1)
  })
})
