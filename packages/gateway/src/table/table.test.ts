/**
 * The table: requests, and everything that AWS or we answer them with. Each row says how sure we are of it, so that a
 * capture of the real thing corrects a text in `answers.ts` or `refusals.ts` and the rows that name it, and nothing else.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Answer, answers } from '../answers.ts'
import { refusals, refusalTexts } from '../authorizers/refusals.ts'
import type { Exchange } from '../exchange.ts'
import { type EventCase, eventApi, evidences, recordedAnswers, recordedEvents } from '../payload/fixture.ts'
import { issue } from '../tls/test-certificates.ts'
import { deep, type Outcome, type ServedArea, serveArea } from './fixture.ts'
import { type Answered, type Area, type Headers, type Row, readArea } from './row.ts'
import { type Suspensions, startSuspensions } from './suspensions.ts'
import { collect } from './wire.ts'

const areas = ['routing', 'jwt', 'lambda-authorizer', 'cors', 'mapping', 'stages', 'errors', 'extensions'].map(
  (name) => ({ name, area: readArea(name) }),
)

const merged = (...all: readonly Headers[]): Headers =>
  Object.fromEntries(Object.entries(Object.assign({}, ...all)).filter(([, value]) => value !== null)) as Headers

/** What a row expects, with everything that it leaves to its area. */
function expected({ always, answers: shapes }: Area, { id, answer }: Row): Answered {
  const { like, ...own } = typeof answer === 'string' ? { like: answer } : answer
  const shape =
    like === undefined ? null : (shapes[like] ?? assert.fail(`"${id}" is like "${like}", which is not there`))
  const { status, body } = { ...shape, ...own } as Answered
  return { status, headers: merged(always, shape?.headers ?? {}, own.headers ?? {}), body }
}

function assertForwarded(area: Area, { forwarded: wanted }: Row, { forwarded }: Outcome): void {
  const line = typeof wanted === 'object' ? wanted.line : wanted
  assert.deepEqual(
    forwarded.map((request) => request.line),
    line === undefined ? [] : [line],
  )
  if (typeof wanted === 'object') assert.deepEqual(forwarded[0]!.headers, merged(area.forwarded, wanted.headers))
}

/** `{}`: it was asked, and what it was given stands in another row. */
function assertGiven(wanted: object | undefined, given: readonly object[]): void {
  assert.equal(given.length, wanted === undefined ? 0 : 1)
  if (wanted !== undefined && Object.keys(wanted).length > 0) assert.deepEqual(given[0], wanted)
}

/** The text that an exchange ended with, by the names of both tables. */
function textsOf(exchange: Exchange): readonly string[] {
  const answered = Object.entries(answers).find(([, answer]) => answer === exchange.refusal)
  const refused = Object.entries(refusals).find(
    ([, { answer, error }]) => answer === exchange.refusal && error === exchange.authorizerError,
  )
  return [answered && `answers.${answered[0]}`, refused && `refusals.${refused[0]}`].filter(
    (name) => name !== undefined,
  )
}

/** A row that names a text is answered with it, as the tables have it. */
function assertText(text: string, { answer: { status, body, headers }, exchange }: Outcome, isHead: boolean): void {
  const [table, name] = text.split('.') as [string, string]
  const refusal = table === 'refusals' ? refusals[name as keyof typeof refusals] : undefined
  const answer: Answer | undefined = refusal?.answer ?? answers[name as keyof typeof answers]
  assert.ok(answer, `there is no ${text}`)
  assert.deepEqual([status, body], [answer.status, isHead ? '' : answer.body])
  assert.equal(headers['content-type'], answer.contentType ? 'application/json' : undefined)
  if (refusal !== undefined) assert.equal(headers['www-authenticate'], refusal.challenge ?? undefined)
  // What the parser refuses is no exchange.
  if (exchange !== null) assert.ok(textsOf(exchange).includes(text), `${text} is not what the gateway meant`)
}

for (const { name, area } of areas) {
  describe(`the table, ${name}: ${area.about}`, () => {
    let served: ServedArea
    let suspensions: Suspensions
    let isTold = false
    before(async () => {
      suspensions = await startSuspensions(['org_out'], () => isTold)
      const certificate = await issue({ name: 'mutual.test', hosts: ['mutual.test'] })
      const authority = await issue({ name: 'Devices', isAuthority: true })
      served = await serveArea(area.serve, (bench) => ({
        domains: name === 'errors' ? [{ name: 'mutual.test', certificate, truststore: authority.cert }] : [],
        revocations: name === 'extensions' ? [suspensions.revocations(bench)] : [],
      }))
    })
    after(async () => {
      suspensions.close()
      await served.close()
    })

    for (const row of area.rows) {
      it(`${row.id}: ${row.about}`, async () => {
        isTold = row.suspensions === 'known'
        const outcome = await served.run(row)
        assert.deepEqual(outcome.answer, expected(area, row))
        assertForwarded(area, row, outcome)
        assertGiven(row.event, outcome.events)
        assertGiven(row.asked, outcome.asked)
        if (row.text !== undefined) assertText(row.text, outcome, row.send.method === 'HEAD')
      })
    }
  })
}

/** Recorded events whose request can be made here: from this address, without TLS, by nobody. */
const sendable = recordedEvents.filter(({ input }) => input.connection === undefined && input.caller === undefined)

describe('the table, events and answers of functions, as they were recorded', () => {
  let served: ServedArea
  before(async () => {
    served = await serveArea([])
  })
  after(() => served.close())

  for (const { name, input, output } of sendable) {
    it(`events/${name}: ${input.about}`, async () => {
      served.replace([eventApi(input)])
      const { events } = await served.run({ send: { raw: requestBytes(input) }, returns: { result: 'hi' } })
      assert.deepEqual(events, [asSentFromHere(output)])
    })
  }

  for (const { name, input, output } of recordedAnswers) {
    it(`answers/${name}: ${input.about}`, async () => {
      served.replace([eventApi({ ...input, route: 'GET /' })])
      const { answer } = await served.run({ send: {}, returns: { result: input.result } })
      const always = { 'apigw-requestid': '<apigw-requestid>', date: '<date>', connection: 'close' }
      const { malformed, status, fields, corsFields, bodyText, bodyBase64 } = output as RecordedAnswer
      if (malformed !== undefined) {
        const { status, body } = answers.failed
        const headers = { ...always, 'content-type': 'application/json', 'content-length': String(body.length) }
        assert.deepEqual(answer, { status, body, headers })
        return
      }
      const length = status === 204 ? {} : { 'content-length': String(Buffer.from(bodyBase64, 'base64').length) }
      assert.deepEqual(answer, {
        status,
        body: bodyText,
        headers: { ...always, ...length, ...collect([...fields, ...corsFields]) },
      })
    })
  }
})

interface RecordedAnswer {
  readonly malformed?: string
  readonly status: number
  readonly fields: readonly string[]
  readonly corsFields: readonly string[]
  readonly bodyText: string
  readonly bodyBase64: string
}

function requestBytes({ request }: EventCase): Buffer {
  const { method, target, headers, body = '', bodyBase64 } = request
  const bytes = bodyBase64 === undefined ? Buffer.from(body) : Buffer.from(bodyBase64, 'base64')
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []))
  const isChunked = lines.some((line) => /^transfer-encoding: *chunked$/i.test(line))
  const isMeasured = isChunked || bytes.length === 0 || lines.some((line) => /^content-length:/i.test(line))
  const length = isMeasured ? [] : [`content-length: ${bytes.length}`]
  const head = [`${method} ${target} HTTP/1.1`, ...lines, ...length, 'connection: close', '', ''].join('\r\n')
  const framed = isChunked ? [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n0\r\n\r\n'] : [bytes]
  return Buffer.concat([head, ...framed].map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
}

/** A recorded event as it is when this test sends the request. */
function asSentFromHere(event: unknown): unknown {
  const here = new Map(
    Object.entries({
      requestId: '<id>',
      extendedRequestId: '<id>',
      time: '<time>',
      timeEpoch: '<timeEpoch>',
      requestTime: '<requestTime>',
      requestTimeEpoch: '<requestTimeEpoch>',
      'x-amzn-trace-id': '<x-amzn-trace-id>',
      'X-Amzn-Trace-Id': '<x-amzn-trace-id>',
      sourceIp: '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '<port>',
    }),
  )
  return deep(event, (leaf, key) => here.get(key) ?? leaf)
}

describe('the table', () => {
  const rows = areas.flatMap(({ name, area }) => area.rows.map((row) => ({ ...row, area, name: `${name}/${row.id}` })))

  it('has at least 150 rows beside the recorded ones, each with a name, a sentence and how sure it is', () => {
    assert.ok(rows.length >= 150, `${rows.length} rows`)
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length)
    for (const { name, about, evidence, area } of rows) {
      assert.match(about, /^\S.*\.$/, name)
      assert.ok(evidences.includes(evidence), name)
      if (evidence === 'documented') assert.ok(area.pages.length > 0, `${name} is documented nowhere`)
    }
  })

  it('reaches every text that nobody has seen AWS send, in a row that says so', () => {
    const unsure = [
      ...Object.entries<Answer>(answers).map(([name, { confirmed }]) => ({ text: `answers.${name}`, confirmed })),
      ...Object.entries(refusalTexts).map(([name, { confirmed }]) => ({ text: `refusals.${name}`, confirmed })),
    ].filter(({ confirmed }) => !confirmed)
    for (const { text } of unsure) {
      const reaching = rows.filter((row) => row.text === text && ['guess', 'extension'].includes(row.evidence))
      assert.ok(reaching.length > 0, `no row that is a guess reaches ${text}`)
    }
    assert.ok(unsure.length > 0)
  })
})
