/** What stored domains and stages name of the operator's files: certificates, truststores, log groups. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { pino } from 'pino'
import { logToLogger } from '../access-log/access-log.ts'
import { logToGroups } from '../access-log/log-groups.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { startUpstream, type TestUpstream } from '../test-issuer.ts'
import { createPemDirectory, type PemDirectory } from '../tls/directory.ts'
import { issue, type TestCertificate } from '../tls/test-certificates.ts'
import { type ControlPlane, startControlPlane } from './fixture.ts'
import { type Publisher, startPublisher } from './publish.ts'

const directory = mkdtempSync(join(tmpdir(), 'tenantry-files-'))
/** What each line of the log names as its fault; it is said once, and other lines may follow it. */
const faults: (string | undefined)[] = []
const logger = pino({}, { write: (line: string) => void faults.push(JSON.parse(line).fault) })
const hostSuffix = 'execute-api.test'

interface Answer {
  readonly status: number
  readonly body: string
  /** Common name of the certificate that was shown. */
  readonly shown: string
}

interface DataPlane {
  readonly port: number
  readonly tlsPort: number
  close(): Promise<void>
}

let plane: ControlPlane
let upstream: TestUpstream
let data: DataPlane
let root: TestCertificate
let devices: TestCertificate
let device: TestCertificate
let account: string
let host: string
let ApiId: string
let number = 0

before(async () => {
  root = await issue({ name: 'servers', isAuthority: true })
  devices = await issue({ name: 'Device CA', isAuthority: true })
  device = await issue({ name: 'device-7', issuer: devices })
  mkdirSync(join(directory, 'tls'))
  plane = await startControlPlane({ pems: createPemDirectory(join(directory, 'tls')), hasLogGroups: true })
  account = plane.key.accountId
  upstream = await startUpstream()
  upstream.reply = (_request, response) => response.end('served')
  data = await startDataPlane(createPemDirectory(join(directory, 'tls')))
})
after(async () => {
  await data?.close()
  await Promise.all([plane?.close(), upstream?.close()])
  rmSync(directory, { recursive: true })
})
beforeEach(async () => {
  host = `d${++number}.shop.test`
  const made = await plane.client.send(
    new sdk.CreateApiCommand({ Name: 'shop', ProtocolType: 'HTTP', Target: upstream.url }),
  )
  ApiId = made.ApiId!
})

async function startDataPlane(pems: PemDirectory | undefined): Promise<DataPlane> {
  const { database, clock } = plane
  const groups = { others: logToLogger(logger), logger, now: () => clock.now().getTime() }
  const gateway: Gateway = createGateway({
    ...{ apis: [], clock, logger, apiHostSuffix: hostSuffix },
    accessLog: logToGroups(join(directory, 'logs'), groups),
  })
  const publisher: Publisher = await startPublisher({
    ...{ database, gateway, logger, clock, pems, region: 'local', hostSuffix, everyMs: 100 },
  })
  const { port } = await gateway.listen(0, '127.0.0.1')
  const { port: tlsPort } = await gateway.listenTls(0, '127.0.0.1')
  return {
    port,
    tlsPort,
    close: async () => {
      await publisher.stop()
      gateway.secureServer.closeAllConnections()
      gateway.server.closeAllConnections()
      await gateway.close()
    },
  }
}

const ask = (name: string, client?: TestCertificate, where = data): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const identity = client === undefined ? {} : { cert: client.cert, key: client.key }
    const options = { servername: name, ca: root.cert, headers: { host: name }, agent: false as const, ...identity }
    https
      .get({ host: '127.0.0.1', port: where.tlsPort, path: '/', ...options }, (response) => {
        const shown = String((response.socket as TLSSocket).getPeerCertificate().subject?.CN)
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString(), shown }),
        )
      })
      .on('error', reject)
  })
const askPlainly = (name: string, where = data): Promise<number> =>
  new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port: where.port, path: '/', headers: { host: name }, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      .on('error', reject)
  })

/** A change is live a moment after it was made. */
async function until<T>(look: () => Promise<T>, isMeant: (found: T) => boolean): Promise<T> {
  let found: T | undefined
  for (let tries = 0; tries < 1_200; tries++) {
    try {
      found = await look()
      if (isMeant(found)) return found
    } catch (error) {
      if (tries === 1_199) throw error
    }
    await wait(50)
  }
  assert.fail(`it is still ${JSON.stringify(found)}`)
}

const put = (name: string, text: string): void => {
  const file = join(directory, 'tls', name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}
const putCertificate = (id: string, { cert, key }: { cert: string; key: string }): void =>
  put(`${account}/certificate/${id}.pem`, `${cert}${root.cert}${key}\n`)
const arnOf = (id: string, of = account): string => `arn:aws:acm:us-east-1:${of}:certificate/${id}`
const certificateFor = (name: string, given: Partial<Parameters<typeof issue>[0]> = {}) =>
  issue({ name, issuer: root, hosts: [name], ...given })

const createDomain = (CertificateArn: string | undefined, TruststoreUri?: string, DomainName = host) =>
  plane.client.send(
    new sdk.CreateDomainNameCommand({
      DomainName,
      DomainNameConfigurations: [{ CertificateArn, EndpointType: 'REGIONAL' }],
      ...(TruststoreUri === undefined ? {} : { MutualTlsAuthentication: { TruststoreUri } }),
    }),
  )
const map = () => plane.client.send(new sdk.CreateApiMappingCommand({ DomainName: host, ApiId, Stage: '$default' }))

describe('a stored domain', () => {
  it('shows the certificate that its ARN names, and a renewed one without a change through the control plane', async () => {
    putCertificate('web', await certificateFor(host))
    const { DomainNameConfigurations: made, MutualTlsAuthentication } = await createDomain(arnOf('web'))
    assert.deepEqual([made![0]!.CertificateArn, MutualTlsAuthentication], [arnOf('web'), undefined])
    await map()
    const first = await until(
      () => ask(host),
      ({ status }) => status === 200,
    )
    assert.deepEqual(first, { status: 200, body: 'served', shown: host })
    putCertificate('web', await issue({ name: 'renewed', issuer: root, hosts: [host] }))
    await until(
      () => ask(host),
      ({ shown }) => shown === 'renewed',
    )
    // One that is broken does not take its place.
    const before = faults.length
    put(`${account}/certificate/web.pem`, 'half a fi')
    await until(
      async () => faults.slice(before),
      (since) => since.some((fault) => fault?.includes('/certificate/web.pem')),
    )
    assert.equal((await ask(host)).shown, 'renewed')
  })

  it('is refused with what to do when its certificate is not here, not its own, or of no use', async () => {
    putCertificate('other', await certificateFor('other.test'))
    putCertificate('old', await certificateFor(host, { days: [-9, -1] }))
    const [one, two] = [await certificateFor(host), await certificateFor(host)]
    putCertificate('mixed', { cert: one.cert, key: two.key })
    put(`${account}/certificate/bare.pem`, one.cert)
    const stranger = '999999999999'
    put(`${stranger}/certificate/web.pem`, `${one.cert}${one.key}`)
    const nowhere = `there is no ${account}/certificate/missing.pem in the gateway's directory of TLS files`
    for (const [arn, message] of [
      [
        arnOf('missing'),
        `The certificate ${arnOf('missing')} is not known here; its chain and private key belong into one PEM file: ${nowhere}.`,
      ],
      [
        arnOf('web', stranger),
        `The certificate ${arnOf('web', stranger)} belongs to another account; yours is ${account}.`,
      ],
      [arnOf('../../x'), /is no ARN of a certificate/],
      ['x', /is no ARN of a certificate/],
      [arnOf('other'), `The certificate ${arnOf('other')} does not cover the domain name ${host}`],
      [arnOf('old'), `The certificate ${arnOf('old')} has expired`],
      [arnOf('mixed'), /is not that of its first certificate/],
      [arnOf('bare'), /must hold a certificate, its chain and one private key/],
    ] as const) {
      await assert.rejects(createDomain(arn), (error: Error) => {
        assert.equal(error.name, 'BadRequestException')
        if (typeof message === 'string') assert.equal(error.message, message)
        else assert.match(error.message, message)
        return true
      })
    }
    await assert.rejects(plane.client.send(new sdk.GetDomainNameCommand({ DomainName: host })), {
      name: 'NotFoundException',
    })
  })

  it('N218 lets in clients of its truststore alone once it has one, and everybody when it is taken away', async () => {
    putCertificate('mutual', await certificateFor(host))
    put(`${account}/s3/authorities/devices.pem`, devices.cert)
    await createDomain(arnOf('mutual'), 's3://authorities/devices.pem')
    await map()
    const let_in = await until(
      () => ask(host, device),
      ({ status }) => status === 200,
    )
    assert.equal(let_in.body, 'served')
    assert.equal((await ask(host)).status, 403)
    assert.equal(await askPlainly(host), 421)
    // Replaced authorities count from the next connection on.
    put(`${account}/s3/authorities/devices.pem`, root.cert)
    await until(
      () => ask(host, device),
      ({ status }) => status === 403,
    )
    const open = new sdk.UpdateDomainNameCommand({ DomainName: host, MutualTlsAuthentication: { TruststoreUri: '' } })
    assert.equal((await plane.client.send(open)).MutualTlsAuthentication, undefined)
    await until(
      () => ask(host),
      ({ status }) => status === 200,
    )
  })

  it('is told of authorities without use, and refused a truststore that is not here or cannot be used', async () => {
    putCertificate('t', await certificateFor(host))
    const expired = await issue({ name: 'Old CA', isAuthority: true, days: [-9, -1] })
    put(`${account}/s3/a/expired.pem`, devices.cert + expired.cert)
    put(`${account}/s3/a/leaf.pem`, device.cert)
    const uri = 's3://a/expired.pem'
    const { MutualTlsAuthentication } = await createDomain(arnOf('t'), uri)
    const TruststoreWarnings = ['"CN=Old CA" has expired: no client of it is let in']
    assert.deepEqual(MutualTlsAuthentication, { TruststoreUri: uri, TruststoreWarnings })
    const kept = await plane.client.send(new sdk.GetDomainNameCommand({ DomainName: host }))
    assert.deepEqual(kept.MutualTlsAuthentication, { TruststoreUri: uri })
    const refused = (change: object, message: RegExp) =>
      assert.rejects(plane.client.send(new sdk.UpdateDomainNameCommand({ DomainName: host, ...change })), {
        name: 'BadRequestException',
        message,
      })
    const mutual = (TruststoreUri: string, more: object = {}) => ({
      MutualTlsAuthentication: { TruststoreUri, ...more },
    })
    await refused(mutual('s3://a/missing.pem'), /there is no \d{12}\/s3\/a\/missing\.pem/)
    await refused(mutual('s3://a/../b'), /is no address of a truststore/)
    await refused(mutual('https://a/b'), /is no address of a truststore/)
    await refused(mutual('s3://a/leaf.pem'), /cannot be used: "CN=device-7" in the truststore is no certificate of an/)
    await refused(mutual(uri, { TruststoreVersion: '1' }), /truststoreVersion/)
    await refused({ DomainNameConfigurations: [{ CertificateArn: '' }] }, /Mutual TLS needs a certificate/)
    await refused(
      { DomainNameConfigurations: [{ OwnershipVerificationCertificateArn: arnOf('t') }] },
      /nobody verifies ownership/,
    )
    assert.deepEqual(
      (await plane.client.send(new sdk.GetDomainNameCommand({ DomainName: host }))).MutualTlsAuthentication,
      { TruststoreUri: uri },
    )
  })

  it('N218 stays closed to everybody where its truststore cannot be read', async () => {
    putCertificate('closed', await certificateFor(host))
    put(`${account}/s3/authorities/gone.pem`, devices.cert)
    await createDomain(arnOf('closed'), 's3://authorities/gone.pem')
    await map()
    await until(
      () => ask(host, device),
      ({ status }) => status === 200,
    )
    const before = faults.length
    rmSync(join(directory, 'tls', account, 's3/authorities/gone.pem'))
    await until(
      async () => faults.slice(before),
      (since) => since.some((fault) => fault?.includes('s3/authorities/gone.pem')),
    )
    // Where it was read before it is served with that.
    assert.equal((await ask(host, device)).status, 200)
    for (const pems of [createPemDirectory(join(directory, 'tls')), undefined]) {
      const fresh = await startDataPlane(pems)
      try {
        assert.equal(await askPlainly(host, fresh), 421)
        await assert.rejects(ask(host, device, fresh))
        assert.equal(await askPlainly(`${ApiId}.${hostSuffix}`, fresh), 200)
      } finally {
        await fresh.close()
      }
    }
  })

  it('names no certificate where the operator has given no directory, and works without TLS', async () => {
    const bare = await startControlPlane()
    try {
      const domain = { DomainName: host, DomainNameConfigurations: [{ CertificateArn: arnOf('web') }] }
      await assert.rejects(bare.client.send(new sdk.CreateDomainNameCommand(domain)), {
        name: 'BadRequestException',
        message: /no directory of TLS files.*Leave certificateArn out.*TENANTRY_GATEWAY_TLS/,
      })
    } finally {
      await bare.close()
    }
    await createDomain(undefined)
    await map()
    await until(
      () => askPlainly(host),
      (status) => status === 200,
    )
    await assert.rejects(ask(host))
  })
})

describe('a stage’s log group', () => {
  const update = (AccessLogSettings: object, client = plane.client, of = ApiId) =>
    client.send(new sdk.UpdateStageCommand({ ApiId: of, StageName: '$default', AccessLogSettings }))
  const Format = '$context.requestId $context.status'
  const group = (name: string, of = account): string => `arn:aws:logs:us-east-1:${of}:log-group:${name}`

  it('is a file of its account, where the entries of its stages are and no others', async () => {
    await update({ DestinationArn: `${group('/apis/orders')}:*`, Format })
    const file = join(directory, 'logs', account, 'apis/orders.log')
    const name = `${ApiId}.${hostSuffix}`
    await until(
      async () => {
        await askPlainly(name)
        return readFileSync(file, 'utf8')
      },
      (text) => /^\S+= 200$/m.test(text),
    )
    await update({ DestinationArn: '', Format }).then(
      () => assert.fail('an empty ARN was taken'),
      (error: Error) => assert.match(error.message, /is no ARN of a log group/),
    )
    await plane.client.send(new sdk.DeleteAccessLogSettingsCommand({ ApiId, StageName: '$default' }))
  })

  it('is refused with what to do when it is another account’s, no log group, or no name of a file', async () => {
    for (const [DestinationArn, message] of [
      [
        group('a', '999999999999'),
        `destinationArn: "${group('a', '999999999999')}" belongs to another account; yours is ${account}`,
      ],
      ['arn:aws:firehose:us-east-1:123456789012:deliverystream/a', /is no ARN of a log group/],
      [group('../../etc/cron.d/x'), /cannot be the name of a file/],
      [group('a//b'), /cannot be the name of a file/],
      [group('a.log/b'), /cannot be the name of a file/],
      [group('a b'), /is no ARN of a log group/],
    ] as const) {
      await assert.rejects(update({ DestinationArn, Format }), { name: 'BadRequestException', message })
    }
    const bare = await startControlPlane()
    try {
      const api = { Name: 'a', ProtocolType: 'HTTP', Target: upstream.url } as const
      const { ApiId: other } = await bare.client.send(new sdk.CreateApiCommand(api))
      await assert.rejects(update({ DestinationArn: group('a', bare.key.accountId), Format }, bare.client, other), {
        name: 'BadRequestException',
        message: /no directory for log groups.*TENANTRY_GATEWAY_LOG_GROUPS/,
      })
      await update({ Format }, bare.client, other)
    } finally {
      await bare.close()
    }
  })
})
