/** Fixture: rows of the table as bytes, and bytes as answers. */
import type { Bench } from '../test-gateway.ts'
import type { Answered, Sent } from './row.ts'

/** A request as bytes, and the token in it. */
export function bytesOf(bench: Bench, sent: Sent): { token: string; bytes: Buffer } {
  const { method = 'GET', host = 'gateway.test', path: target = '/', headers = [], body } = sent
  const token = sent.token === undefined ? '' : mint(bench, sent.token)
  if (Buffer.isBuffer(sent.raw)) return { token, bytes: sent.raw }
  const text =
    sent.raw ??
    [
      `${method} ${target} HTTP/1.1`,
      `host: ${host}`,
      ...(token === '' || `${target}${headers}`.includes('<token>') ? [] : ['authorization: Bearer <token>']),
      ...headers,
      ...(body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
      'connection: close',
      '',
      body ?? '',
    ].join('\r\n')
  const filled = text.replaceAll('<token>', token).replace(/<(\d+) times (.)>/g, (_, n, what) => what.repeat(Number(n)))
  return { token, bytes: Buffer.from(filled) }
}

function mint({ issuer, clock }: Bench, { claims = {}, header = {}, signature }: NonNullable<Sent['token']>): string {
  const seconds = Math.floor(clock.now().getTime() / 1000)
  const filled = Object.fromEntries(
    Object.entries(claims).map(([name, value]) => {
      const now = /^<now([+-]\d+)>$/.exec(String(value))
      if (now !== null) return [name, seconds + Number(now[1])]
      return [
        name,
        value === '<absent>' ? undefined : typeof value === 'string' ? value.replace('<issuer>', issuer.issuer) : value,
      ]
    }),
  )
  const absent = Object.fromEntries(Object.entries(header).map(([k, v]) => [k, v === '<absent>' ? undefined : v]))
  const token = issuer.mint(filled, absent)
  if (signature === undefined) return token
  const parts = token.split('.')
  return [...parts.slice(0, 2), issuer.mint({ ...filled, jti: 'other' }, absent).split('.')[2]].join('.')
}

export function readAnswer(text: string): Answered {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const raw = lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  const headers = collect(raw)
  const rest = text.slice(end + 4)
  const body = headers['transfer-encoding'] === 'chunked' ? unchunk(rest) : rest
  return { status: Number(first.split(' ')[1]), headers, body: Buffer.from(body, 'latin1').toString() }
}

function unchunk(text: string): string {
  const [, size = '0', rest = ''] = /^([0-9a-f]+)\r\n([\s\S]*)$/.exec(text) ?? []
  const length = Number.parseInt(size, 16)
  return length === 0 ? '' : rest.slice(0, length) + unchunk(rest.slice(length + 2))
}

/** By name in lower case; a list where there are several. */
export function collect(raw: readonly string[]): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {}
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i]!.toLowerCase(), raw[i + 1]!]
    all[name] = all[name] === undefined ? value : [all[name], value].flat()
  }
  return all
}
