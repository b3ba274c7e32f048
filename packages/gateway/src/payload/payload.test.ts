import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { unlimited } from '../api.ts'
import { connectionOf } from '../connection.ts'
import { compileApi } from '../deployment.ts'
import { type Call, type Caller, nobody } from '../exchange.ts'
import { readHead } from '../head.ts'
import type { Request } from '../inbound/request.ts'
import { createBucket } from '../limits/bucket.ts'
import { createSeries } from '../metrics/metrics.ts'
import { compileEndpoints } from '../routing/endpoints.ts'
import { canonicalPath } from '../routing/path.ts'
import { createTestFunctions } from '../test-functions.ts'
import { describeCertificate } from '../tls/admission.ts'
import { MalformedAnswer, readAnswer } from './answer.ts'
import { type PayloadFormat, writeEvent } from './event.ts'
import { type EventCase, eventApi, evidences, readRecorded, recordedAnswers, recordedEvents } from './fixture.ts'
import { createTraceId } from './trace-id.ts'

/** The call that the pipeline would hand to the integration. */
function callOf(input: EventCase): Call {
  const { request: sent, connection = { address: '198.51.100.7', port: 80, encrypted: false } } = input
  const api = eventApi(input)
  const deployment = compileApi(api, {
    isStrict: false,
    authorizerOf: () => ({ authorize: () => nobody, reset: () => undefined }),
    poolOf: () => assert.fail('no upstream is needed'),
    onFault: () => undefined,
    functions: createTestFunctions(),
    seriesOf: createSeries,
    throttling: { account: unlimited, bucketOf: createBucket, shelfOf: () => assert.fail('no tenant is limited') },
  })
  const head = readHead(sent.headers, 0)
  assert.ok(typeof head !== 'string', `the head is refused: ${head}`)
  const located = compileEndpoints([deployment]).at(head.host)?.(canonicalPath(sent.target)!)
  const route = located && deployment.router.find(sent.method, located.path)
  assert.ok(route, 'no route matches')
  const pem = connection.certificate
  const socket = {
    remoteAddress: connection.address,
    localPort: connection.port,
    encrypted: connection.encrypted,
  }
  if (pem !== undefined) {
    const client = describeCertificate(new X509Certificate(readRecorded(pem)))
    connectionOf(socket as unknown as Duplex).handshake = { domain: '', truststore: '', client, expiresAt: Infinity }
  }
  return {
    id: 'Q1w2E3r4T5y6U7i=',
    receivedAt: Date.UTC(2026, 10, 24, 9, 15),
    request: { method: sent.method, socket } as unknown as Request,
    head,
    deployment,
    path: located!.path,
    basePath: located!.basePath,
    isMapped: located!.isMapped,
    route,
    caller: callerOf(input.caller),
  } as Call
}

const callerOf = (caller: EventCase['caller']): Caller =>
  caller === undefined ? nobody : ({ ...caller, scopes: new Set(caller.scopes) } as unknown as Caller)

const bodyOf = ({ body, bodyBase64 }: EventCase['request']): Buffer | null =>
  body !== undefined ? Buffer.from(body) : bodyBase64 !== undefined ? Buffer.from(bodyBase64, 'base64') : null

describe('an event', () => {
  for (const { name, input, output } of recordedEvents) {
    it(`is written as recorded: ${name}`, () => {
      assert.ok(evidences.includes(input.evidence), input.evidence)
      const text = writeEvent(input.version, callOf(input), bodyOf(input.request), 'Root=1-00000000-0')
      assert.deepEqual(JSON.parse(text), output)
    })
  }

  it('holds names of JavaScript as members of its own', () => {
    const { input } = recordedEvents.find(({ name }) => name === '2-query-odd')!
    assert.match(writeEvent('2.0', callOf(input), null, ''), /"__proto__":"x","constructor":"y"/)
  })

  it('carries a trace id in X-Ray’s form', () => {
    assert.match(createTraceId(Date.UTC(2026, 10, 24)), /^Root=1-6b04d380-[0-9a-f]{24}$/)
  })
})

describe('a function’s result', () => {
  for (const { name, input, output } of recordedAnswers) {
    it(`is read or refused as recorded: ${name}`, () => {
      assert.ok(evidences.includes(input.evidence), input.evidence)
      const found = outcome(input.version, JSON.stringify(input.result))
      assert.deepEqual(found, output)
      assert.equal('malformed' in found, name.includes('malformed'))
    })
  }

  it('is malformed when it is not JSON', () => {
    assert.deepEqual(outcome('2.0', '{'), { malformed: 'the result is not JSON' })
  })
})

function outcome(version: PayloadFormat, result: string): object {
  try {
    const { body, ...rest } = readAnswer(version, result)
    return { ...rest, bodyBase64: body.toString('base64'), bodyText: body.toString('utf8') }
  } catch (error) {
    if (error instanceof MalformedAnswer) return { malformed: error.message }
    throw error
  }
}
