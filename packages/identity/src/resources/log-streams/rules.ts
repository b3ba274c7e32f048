import { randomHandle, randomText } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { Value } from 'typebox/value'
import type { Sink, SinkSecrets } from '../../delivery/log-streams/request.ts'
import { refuseActive, unsupported } from '../inert.ts'
import { refuseAddress } from '../web-address.ts'
import { type CreateLogStream, HttpSink, inert, type UpdateLogStream } from './schema.ts'
import type { LogStreamRow } from './store.ts'

export const problems = defineProblems({
  inexistent_log_stream: { status: 404, title: 'The log stream does not exist.' },
  too_many_log_streams: { status: 409, title: 'There are {limit} log streams already. Delete one first.' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
})
const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

/** Each one costs a request per batch. */
export const MAXIMUM_STREAMS = 10

/** Shown in place of a secret. Sent back, it means: leave it as it is. */
export const MASK = '*****'

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function registered(asked: CreateLogStream, now: Date): { row: LogStreamRow; secret: SinkSecrets } {
  refuseActive(inert, asked)
  if (asked.type !== 'http') throw unsupported(`type ${asked.type}`)
  const given = asked.sink
  if (!Value.Check(HttpSink, given))
    throw refuse(
      "'sink' of type http takes httpEndpoint, httpContentFormat, httpContentType, httpAuthorization and httpCustomHeaders.",
    )
  refuseSink(given)
  const row = {
    id: `lst_${randomText(16)}`,
    name: asked.name ?? 'Log stream',
    type: 'http',
    status: 'active' as const,
    filters: asked.filters ?? [],
    sink: readable({ httpEndpoint: '', httpContentFormat: 'JSONLINES', httpContentType: 'application/json' }, given),
    created_at: now,
    updated_at: now,
  }
  return { row, secret: keep({ signingSecret: randomHandle() }, given) }
}

/**
 * The stream as changed. Another host must not receive what was entrusted to the first: without being given again, the
 * authorization and custom headers are dropped, and the signing secret is a new one (N139).
 *
 * @throws Problem `operation_not_supported`, `invalid_body`
 */
export function changed(row: LogStreamRow, secret: SinkSecrets, change: UpdateLogStream, now: Date) {
  refuseActive(inert, change)
  const given = change.sink ?? {}
  refuseSink(given)
  const sink = readable(row.sink, given)
  const moved = new URL(sink.httpEndpoint).origin !== new URL(row.sink.httpEndpoint).origin
  const base = moved ? { signingSecret: randomHandle() } : secret
  return {
    moved,
    secret: keep(base, given),
    row: {
      ...row,
      name: change.name ?? row.name,
      status: change.status ?? row.status,
      filters: change.filters ?? row.filters,
      sink,
      updated_at: now,
    },
  }
}

const readable = (sink: Sink, given: Partial<HttpSink>): Sink => ({
  httpEndpoint: given.httpEndpoint ?? sink.httpEndpoint,
  httpContentFormat: given.httpContentFormat ?? sink.httpContentFormat,
  httpContentType: given.httpContentType ?? sink.httpContentType,
})

function keep(secret: SinkSecrets, given: Partial<HttpSink>): SinkSecrets {
  const { httpAuthorization, httpCustomHeaders } = given
  const stored = (name: string) => secret.customHeaders?.find(({ header }) => header === name)?.value
  return {
    signingSecret: secret.signingSecret,
    authorization:
      httpAuthorization === undefined || httpAuthorization === MASK ? secret.authorization : httpAuthorization,
    customHeaders:
      httpCustomHeaders?.map(({ header, value }) => ({
        header,
        value: value === MASK ? (stored(header) ?? '') : value,
      })) ?? secret.customHeaders,
  }
}

/** Headers that say how the request itself travels, or who signed it. */
const RESERVED =
  /^(host|connection|content-length|content-type|transfer-encoding|upgrade|te|trailer|expect|keep-alive|authorization|proxy-.*|tenantry-.*)$/i

function refuseSink({ httpEndpoint, httpContentType, httpAuthorization, httpCustomHeaders = [] }: Partial<HttpSink>) {
  const wrong = httpEndpoint === undefined ? undefined : refuseAddress(httpEndpoint)
  if (wrong) throw refuse(`'sink.httpEndpoint' ${wrong}.`)
  const text = /^[\x20-\x7e]*$/
  if (httpContentType !== undefined && !/^[\w.+-]+\/[\w.+-]+(;[\x20-\x7e]*)?$/.test(httpContentType))
    throw refuse("'sink.httpContentType' is not a media type.")
  if (!text.test(httpAuthorization ?? ''))
    throw refuse("'sink.httpAuthorization' holds characters that headers cannot have.")
  for (const { header, value } of httpCustomHeaders) {
    if (!/^[A-Za-z0-9-]+$/.test(header) || RESERVED.test(header))
      throw refuse(`'sink.httpCustomHeaders' cannot set the header ${header.slice(0, 60)}.`)
    if (!text.test(value)) throw refuse(`'sink.httpCustomHeaders' holds characters that headers cannot have.`)
  }
}

/** As the API shows it: a secret is there or not, and no more is told. */
export const shown = ({ created_at: _, updated_at: __, ...row }: LogStreamRow, secret: SinkSecrets) => ({
  ...row,
  isPriority: false,
  sink: {
    ...row.sink,
    ...(secret.authorization ? { httpAuthorization: MASK } : {}),
    ...(secret.customHeaders?.length
      ? { httpCustomHeaders: secret.customHeaders.map(({ header }) => ({ header, value: MASK })) }
      : {}),
  },
})
