import assert from 'node:assert/strict'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { request as send } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { CreateApiCommand, GetApisCommand, GetTagsCommand } from '@aws-sdk/client-apigatewayv2'
import { SignatureV4 } from '@smithy/signature-v4'
import { type ControlPlane, startControlPlane } from '../fixture.ts'

let plane: ControlPlane
before(async () => {
  plane = await startControlPlane()
})
after(() => plane.close())

class Sha256 {
  #state: Hash | Hmac
  readonly #secret: string | undefined
  constructor(secret?: string) {
    this.#secret = secret
    this.#state = this.#begin()
  }
  #begin() {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret)
  }
  update(data: Uint8Array | string) {
    this.#state.update(data)
  }
  async digest() {
    return new Uint8Array(this.#state.digest())
  }
  reset() {
    this.#state = this.#begin()
  }
}

interface Signed {
  method: string
  path: string
  query: Record<string, string | string[]>
  headers: Record<string, string>
  body?: string
}

interface Signing {
  method?: string
  path?: string
  query?: Record<string, string | string[]>
  headers?: Record<string, string>
  body?: string
  service?: string
  region?: string
  secret?: string
  at?: Date
  presignSeconds?: number
}

/** Signed by Amazon's own signer, so that ours is compared with another's reading of the specification. */
async function sign(options: Signing = {}): Promise<Signed> {
  const { method = 'GET', path = '/v2/apis', query = {}, headers = {}, body } = options
  const signer = new SignatureV4({
    service: options.service ?? 'apigateway',
    region: options.region ?? 'local',
    credentials: {
      accessKeyId: plane.key.accessKeyId,
      secretAccessKey: options.secret ?? plane.key.secretAccessKey,
    },
    sha256: Sha256 as never,
  })
  const request = {
    method,
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: plane.port,
    path,
    query,
    headers: { host: `127.0.0.1:${plane.port}`, ...headers },
    ...(body === undefined ? {} : { body }),
  }
  const signingDate = options.at ?? plane.clock.now()
  const signed =
    options.presignSeconds === undefined
      ? await signer.sign(request, { signingDate })
      : await signer.presign(request, { signingDate, expiresIn: options.presignSeconds })
  return signed as unknown as Signed
}

const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

const targetOf = ({ path, query }: Signed): string => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((each) => `${encode(name)}=${encode(each)}`),
  )
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}

interface Answer {
  status: number
  type: string | undefined
  message: string
}

/** Sends header lines as they are given, duplicates included. */
function ask(method: string, target: string, headers: readonly (readonly [string, string])[], body?: string) {
  return new Promise<Answer>((resolve, reject) => {
    const request = send(
      { host: '127.0.0.1', port: plane.port, method, path: target, headers: headers.flat() as never, setHost: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const type = response.headers['x-amzn-errortype'] as string | undefined
          resolve({ status: response.statusCode!, type, message: text === '' ? '' : JSON.parse(text).message })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

const ask1 = (signed: Signed, change: (headers: Record<string, string>) => Record<string, string> = (same) => same) =>
  ask(signed.method, targetOf(signed), Object.entries(change(signed.headers)), signed.body)

const outcome = ({ status, type }: Answer) => `${status} ${type ?? ''}`.trim()

describe('a request to the control plane', () => {
  test('signed by Amazon’s client is served, whatever characters its path and query hold', async () => {
    const made = await plane.client.send(new CreateApiCommand({ Name: 'büro "x"', ProtocolType: 'HTTP' }))
    assert.equal(made.Name, 'büro "x"')
    const { Items } = await plane.client.send(new GetApisCommand({ MaxResults: '500' }))
    assert.ok(Items?.some(({ ApiId }) => ApiId === made.ApiId))
    const arn = `arn:aws:apigateway:local::/apis/${made.ApiId}`
    assert.deepEqual((await plane.client.send(new GetTagsCommand({ ResourceArn: arn }))).Tags, {})
    const refusal = { name: 'NotFoundException', message: 'Invalid API identifier specified' }
    for (const name of ["$default it's (x)*!", 'a/b%2Fc', 'ü ~+&=']) {
      await assert.rejects(
        plane.client.send(new GetTagsCommand({ ResourceArn: `arn:aws:apigateway:local::/apis/${name}` })),
        (error: Error) => error.name === refusal.name,
      )
    }
  })

  test('is served when it is signed without a hash of the body, and when its address is presigned', async () => {
    assert.equal(outcome(await ask1(await sign())), '200')
    assert.equal(outcome(await ask1(await sign({ query: { maxResults: '1', nextToken: 'MA' } }))), '200')
    assert.equal(outcome(await ask1(await sign({ presignSeconds: 60 }))), '200')
  })

  test('without a signature is refused, and what it asks for is not read', async () => {
    const host = ['host', `127.0.0.1:${plane.port}`] as const
    const answer = await ask('GET', '/v2/apis', [host])
    assert.deepEqual(answer, {
      status: 403,
      type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    })
    const json = ['content-type', 'application/json'] as const
    assert.equal(
      outcome(await ask('POST', '/v2/apis', [host, json], 'no json')),
      '403 MissingAuthenticationTokenException',
    )
    const bearer = ['authorization', 'Bearer abc'] as const
    assert.equal(outcome(await ask('GET', '/v2/apis', [host, bearer])), '403 IncompleteSignatureException')
  })

  test('signed with another secret, or by an unknown key, is refused', async () => {
    const wrong = await ask1(await sign({ secret: 'x'.repeat(40) }))
    assert.equal(outcome(wrong), '403 InvalidSignatureException')
    assert.match(wrong.message, /^The request signature we calculated does not match/)
    const signed = await sign()
    const unknown = await ask1(signed, (headers) => ({
      ...headers,
      authorization: headers.authorization!.replace(plane.key.accessKeyId, 'AKIAAAAAAAAAAAAAAAAA'),
    }))
    assert.equal(outcome(unknown), '403 UnrecognizedClientException')
    const session = await ask1(await sign({ headers: { 'x-amz-security-token': 'abc' } }))
    assert.equal(outcome(session), '403 UnrecognizedClientException')
  })

  test('signed for another service, region or day is refused', async () => {
    for (const [options, reason] of [
      [{ service: 'execute-api' }, "Credential should be scoped to correct service: 'apigateway'."],
      [{ region: 'eu-central-1' }, "Credential should be scoped to a valid region: 'local'."],
    ] as const) {
      const answer = await ask1(await sign(options))
      assert.deepEqual(answer, { status: 403, type: 'InvalidSignatureException', message: reason })
    }
    const signed = await sign()
    const otherDay = await ask1(signed, (headers) => ({
      ...headers,
      authorization: headers.authorization!.replace(/\/\d{8}\//, '/20200101/'),
    }))
    assert.match(otherDay.message, /^Date in Credential scope does not match/)
    const otherTerminator = await ask1(signed, (headers) => ({
      ...headers,
      authorization: headers.authorization!.replace('aws4_request', 'aws5_request'),
    }))
    assert.equal(outcome(otherTerminator), '403 IncompleteSignatureException')
  })

  test('is refused five minutes after or before its time; a presigned address when it has run out', async () => {
    const now = plane.clock.now().getTime()
    const minutes = (count: number) => new Date(now + count * 60_000)
    assert.equal(outcome(await ask1(await sign({ at: minutes(-4) }))), '200')
    assert.equal(outcome(await ask1(await sign({ at: minutes(4) }))), '200')
    const late = await ask1(await sign({ at: minutes(-6) }))
    assert.match(`${outcome(late)} ${late.message}`, /^403 InvalidSignatureException Signature expired: /)
    const early = await ask1(await sign({ at: minutes(6) }))
    assert.match(`${outcome(early)} ${early.message}`, /^403 InvalidSignatureException Signature not yet current: /)

    const presigned = await sign({ at: minutes(-20), presignSeconds: 3600 })
    assert.equal(outcome(await ask1(presigned)), '200')
    const ranOut = await ask1(await sign({ at: minutes(-20), presignSeconds: 600 }))
    assert.equal(outcome(ranOut), '403 InvalidSignatureException')
    const longer = { ...presigned, query: { ...presigned.query, 'X-Amz-Expires': '604800' } }
    assert.equal(outcome(await ask1(longer)), '403 InvalidSignatureException')
    const tooLong = { ...presigned, query: { ...presigned.query, 'X-Amz-Expires': '604801' } }
    assert.equal(outcome(await ask1(tooLong)), '403 IncompleteSignatureException')
  })

  test('whose method, path, query, headers or body differ from what was signed is refused', async () => {
    const changes: [string, (signed: Signed) => Signed][] = [
      ['method', (signed) => ({ ...signed, method: 'HEAD' })],
      ['path', (signed) => ({ ...signed, path: '/v2/domainnames' })],
      ['query', (signed) => ({ ...signed, query: { maxResults: '2' } })],
      ['host', (signed) => ({ ...signed, headers: { ...signed.headers, host: 'other.test' } })],
    ]
    for (const [what, change] of changes) {
      const answer = await ask1(change(await sign({ query: { maxResults: '1' } })))
      assert.equal(outcome(answer), '403 InvalidSignatureException', what)
    }
    const body = JSON.stringify({ name: 'a', protocolType: 'HTTP' })
    const json = { 'content-type': 'application/json' }
    const hashed = { ...json, 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') }
    for (const headers of [json, hashed]) {
      const signed = await sign({ method: 'POST', body, headers })
      assert.equal(outcome(await ask1(signed)), '201')
      const other = await ask1({ ...signed, body: body.replace('"a"', '"b"') })
      assert.equal(outcome(other), '403 InvalidSignatureException')
    }
    const unsigned = await sign({
      method: 'POST',
      body,
      headers: { ...json, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    })
    assert.equal(outcome(await ask1(unsigned)), '403 InvalidSignatureException')
  })

  test('with an encoded slash is another request than with a plain or a doubly encoded one', async () => {
    const path = '/v2/tags/arn%3Aaws%3Aapigateway%3Alocal%3A%3A%2Fapis%2Fnone'
    const signed = await sign({ path })
    assert.equal(outcome(await ask1(signed)), '404 NotFoundException')
    assert.equal(outcome(await ask1({ ...signed, path: path.replace('%2F', '/') })), '404 UnknownOperationException')
    for (const other of [path.replaceAll('%2F', '%252F'), path.replace('%3A', ':')]) {
      assert.equal(outcome(await ask1({ ...signed, path: other })), '403 InvalidSignatureException', other)
    }
  })

  test('that does not sign its host or an x-amz header, or signs a header it lacks, is refused', async () => {
    const signed = await sign()
    const names = /SignedHeaders=([^,]+)/.exec(signed.headers.authorization!)![1]!.split(';')
    const claiming = (list: string[]) =>
      ask1(signed, (headers) => ({
        ...headers,
        authorization: headers.authorization!.replace(/SignedHeaders=[^,]+/, `SignedHeaders=${list.join(';')}`),
      }))
    const withoutHost = await claiming(names.filter((name) => name !== 'host'))
    assert.equal(withoutHost.message, "The header 'host' must be a 'SignedHeader'.")
    const withoutDate = await claiming(names.filter((name) => name !== 'x-amz-date'))
    assert.equal(withoutDate.message, "The header 'x-amz-date' must be a 'SignedHeader'.")
    const absent = await claiming([...names, 'zzz'])
    assert.equal(absent.message, "The signed header 'zzz' is missing from the request.")
    assert.equal(outcome(await claiming(names.toReversed())), '403 IncompleteSignatureException')
    const added = await ask1(signed, (headers) => ({ ...headers, 'x-amz-target': 'x' }))
    assert.equal(added.message, "The header 'x-amz-target' must be a 'SignedHeader'.")
  })

  test('that sends a header, a member or a parameter of its signature twice is refused', async () => {
    const signed = await sign()
    const headers = Object.entries(signed.headers)
    for (const name of ['x-amz-date', 'authorization', 'x-custom']) {
      const twice = [...headers, [name, signed.headers[name] ?? 'a'], [name, 'b']] as [string, string][]
      const answer = await ask('GET', '/v2/apis', twice)
      assert.equal(answer.message, `The header '${name}' is sent more than once.`)
    }
    const member = await ask1(signed, (all) => ({
      ...all,
      authorization: `${all.authorization}, Signature=${'0'.repeat(64)}`,
    }))
    assert.equal(outcome(member), '403 IncompleteSignatureException')
    const presigned = await sign({ presignSeconds: 60 })
    const target = `${targetOf(presigned)}&X-Amz-Expires=600`
    assert.equal(
      outcome(await ask('GET', target, Object.entries(presigned.headers))),
      '403 IncompleteSignatureException',
    )
    const both = await ask('GET', targetOf(presigned), headers)
    assert.equal(both.message, 'A request is signed in its header or in its query.')
  })

  test('whose query has two readings is refused', async () => {
    const signed = await sign({ query: { nextToken: 'a b' } })
    const answer = await ask('GET', '/v2/apis?nextToken=a+b', Object.entries(signed.headers))
    assert.equal(outcome(answer), '403 InvalidSignatureException')
  })

  test('sees the APIs of its own environment and no others', async () => {
    const made = await plane.client.send(new CreateApiCommand({ Name: 'mine', ProtocolType: 'HTTP' }))
    const other = plane.clientOf(await plane.otherKey())
    assert.deepEqual((await other.send(new GetApisCommand({}))).Items, [])
    await assert.rejects(
      other.send(new GetTagsCommand({ ResourceArn: `arn:aws:apigateway:local::/apis/${made.ApiId}` })),
      { name: 'NotFoundException' },
    )
    other.destroy()
  })
})
