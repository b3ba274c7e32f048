/**
 * What a hostile client writes: requests that are nearly right, several on one connection, with another request hidden
 * wherever two parsers could disagree. Each request is marked in its target, so that the upstream's side can tell whose
 * it is: `m={token}.{number}.`.
 */
import type { Random } from './random.ts'
import { behaviours } from './upstream.ts'

export interface Token {
  readonly text: string
  readonly isValid: boolean
}

export interface Attack {
  readonly bytes: Buffer
  /** Numbers of the marks that were written. */
  readonly marks: ReadonlySet<number>
  /** Marks may have been changed after they were written. */
  readonly isMutated: boolean
}

const methods = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'get',
  'G\tT',
  'PRI',
  '',
]
const paths = [
  ...['/todos', '/pets/1', '/org/7', '/open/a', '/open/a/b', '/hook', '/', '/nothing', '/todos/', '/TODOS', '/Pets/1'],
  ...['/open/../todos', '/open/%2e%2e/todos', '//todos', '/open//todos', '/open/..;/todos', '/todos;x=1', '/todos%2f'],
  ...[
    '/open/%2e%2e%2ftodos',
    '/%74odos',
    '/%2574odos',
    '/todos%00',
    '/todos%20',
    '/open\\..\\todos',
    '/open/%5c..',
    '*',
  ],
  ...[
    '/open/%c0%ae%c0%ae/todos',
    '/open/%ef%bc%8e%ef%bc%8e/todos',
    '/open/a%0d%0aGET%20/todos',
    'http://a/todos',
    'a:80',
  ],
  ...['http://a@b/todos', '/open/a#/todos', '/open/?/../todos', '', '/open/\u00e9', '/open/a b'],
]
const versions = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
  '',
]
const lineEnds = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '\n\r\n',
  ' \r\n',
  '\0\r\n',
]
const forged = ['x-org-id', 'X-Org-Id', 'x_org_id', 'X_ORG-ID', 'x.org.id', 'x-org-id ', ' x-org-id', 'x-org-id\t']
const internal = [
  'x-forwarded-for',
  'X_Forwarded_For',
  'forwarded',
  'via',
  'apigw-requestid',
  'x-amzn-oidc-identity',
  'client-cert',
  'x-real-ip',
]
const encodings = [
  'chunked',
  'Chunked',
  ' chunked',
  'chunked ',
  'xchunked',
  'chunked, identity',
  'gzip, chunked',
  'identity',
  'cow',
  '\x0bchunked',
  'chunked\x00',
  '"chunked"',
  'chunked;q=1',
  ',chunked',
  '',
]
const encodingNames = [
  'transfer-encoding',
  'Transfer-Encoding',
  'transfer_encoding',
  'transfer-encoding ',
  ' transfer-encoding',
  'transfer-encoding\x00',
  'Transfer-Encodin\u0067',
]
const odd = [
  ...[
    'expect: 100-continue',
    'expect: nothing',
    'upgrade: h2c',
    'upgrade: websocket',
    'connection: upgrade, http2-settings',
  ],
  ...[
    'connection: x-org-id, authorization, content-length',
    'connection: close',
    'connection: keep-alive',
    'te: trailers',
  ],
  ...[
    'x-http-method-override: DELETE',
    'x-original-url: /todos',
    'x-rewrite-url: /todos',
    'range: bytes=0-',
    'x: \u00ff',
  ],
  ...[
    'origin: https://app.test',
    'access-control-request-method: GET',
    'host: b',
    'no colon',
    ': no name',
    'a\x00b: c',
    'content-type: application/json',
  ],
  ...[
    'x-fold: a\r\n content-length: 5',
    'x-cr: a\rcontent-length: 5',
    'x-lf: a\ncontent-length: 5',
    'trailer: x-org-id',
    `x-long: ${'y'.repeat(3_000)}`,
  ],
]

/** The bytes of one connection. */
export function createAttack(random: Random, tokens: readonly Token[], nextMark: () => number): Attack {
  const marks = new Set<number>()
  const mark = (token: number): string => {
    const number = nextMark()
    marks.add(number)
    return `m=${token}.${number}.`
  }
  const isMutated = random.once(3)
  // Changed bytes may change a mark: those tokens are never compared with theirs.
  const firstToken = isMutated ? tokens.length / 2 : 0
  const write = { random, tokens, firstToken, mark }
  let text = ''
  for (let left = 1 + random.int(3); left > 0; left--) text += writeRequest(write, random.pick([0, 0, 1, 1, 2, 3, 4]))
  const bytes = Buffer.from(text, 'latin1')
  return { bytes: isMutated ? mutate(random, bytes) : bytes, marks, isMutated }
}

interface Writing {
  readonly random: Random
  readonly tokens: readonly Token[]
  /** Those from here on may be sent. */
  readonly firstToken: number
  readonly mark: (token: number) => string
}

/** @param faults how many of its parts may be wrong; 0 writes an honest request */
function writeRequest(writing: Writing, faults: number): string {
  const { firstToken, mark, random, tokens } = writing
  const isWrong = (): boolean => faults > 0 && random.once(20 - 4 * faults)
  const end = (): string => (isWrong() ? random.pick(lineEnds) : '\r\n')
  const token = firstToken + random.int(tokens.length - firstToken)
  const hasToken = random.once(2)
  const path = isWrong() ? random.pick(paths) : random.pick(paths.slice(0, 6))
  const query =
    path === '*'
      ? ''
      : `?${mark(hasToken ? token : -1)}${random.once(4) ? `&q=${random.pick(['a', '..', '%2e%2e', 'a/b', '%2f', '%0d%0a', '', 'a&q=b', ';q=x'])}` : ''}`
  const method = isWrong() ? random.pick(methods) : random.pick(methods.slice(0, 10))
  const lines = [`host:${isWrong() ? random.pick(['', ' ', ' a, b', ' a/b', ' \x00', ' [::1', ' a:b']) : ' a'}`]
  if (hasToken) lines.push(`authorization: Bearer ${tokens[token]!.text}`)
  if (hasToken && isWrong())
    lines.push(`Authorization: ${random.pick(['Bearer x', 'x', `Bearer ${tokens.at(-2)!.text}`])}`)
  if (random.once(2)) lines.push(`x-up: ${random.pick(behaviours)}`)
  for (let left = random.int(3); left > 0; left--)
    lines.push(`${random.pick(isWrong() ? forged : forged.slice(0, 3))}: forged`)
  if (random.once(3)) lines.push(`${random.pick(internal)}: forged`)
  while (isWrong()) lines.push(random.pick(odd))
  const body = writeBody(writing, faults, lines)
  if (isWrong()) lines.reverse()
  return `${method} ${path}${query} ${isWrong() ? random.pick(versions) : 'HTTP/1.1'}${end()}${lines.map((line) => line + end()).join('')}${end()}${body}`
}

/** Writes a body and, into `lines`, what says where it ends: rightly, twice, or not quite. */
function writeBody(writing: Writing, faults: number, lines: string[]): string {
  const { random } = writing
  const kind = random.int(faults < 2 ? 3 : 8)
  if (kind === 0) return ''
  const hidden = random.once(2) ? `GET /todos?${writing.mark(-1)} HTTP/1.1\r\nhost: a\r\n\r\n` : ''
  const content =
    random.pick([
      '',
      'hello',
      '{"kind":"k"}',
      '{"kind":"a","kind":"b"}',
      '{"kind":"a\\r\\nx-org-id: forged"}',
      'x'.repeat(random.int(40_000)),
    ]) + (faults === 0 ? '' : hidden)
  if (kind === 1) {
    lines.push(`content-length: ${content.length}`)
    return content
  }
  if (kind === 2) {
    lines.push('transfer-encoding: chunked')
    return writeChunks(random, content, 0) + (faults === 0 ? '' : hidden)
  }
  const lengths = [
    content.length,
    content.length - 1,
    content.length + 5,
    0,
    -1,
    `+${content.length}`,
    `0x${content.length}`,
    `${content.length}, ${content.length}`,
    '5 5',
    '',
    99999999999,
    18446744073709552000,
    `0${content.length}`,
  ]
  const length = (): void =>
    void lines.push(
      `${random.pick(['content-length', 'Content-Length', 'content_length', 'content-length '])}:${random.pick([' ', '', '\t'])}${random.pick(lengths)}`,
    )
  const encoding = (): void =>
    void lines.push(`${random.pick(encodingNames)}:${random.pick([' ', '', '\r\n '])}${random.pick(encodings)}`)
  for (const write of random.pick([
    [length, encoding],
    [encoding, length],
    [encoding, encoding],
    [length, length],
    [encoding],
    [length],
  ]))
    write()
  return random.once(2) ? content + hidden : writeChunks(random, content, faults) + hidden
}

function writeChunks(random: Random, content: string, faults: number): string {
  const isWrong = (): boolean => faults > 0 && random.once(20 - 4 * faults)
  let text = ''
  for (let at = 0; at < content.length; ) {
    const size = 1 + random.int(Math.min(20_000, content.length - at))
    const written = isWrong()
      ? random.pick([
          `+${size.toString(16)}`,
          `0x${size.toString(16)}`,
          (size + 1).toString(16),
          `${size.toString(16)} `,
          `0000000000000000${size.toString(16)}`,
          '-1',
          '',
          'ffffffffffffffff1',
          `${size.toString(16)};\n`,
        ])
      : size.toString(16)
    const extension = random.once(5) ? random.pick([';a', ';a=b', ';a="b\r\nc"', ';\x00', `;${'x'.repeat(5_000)}`]) : ''
    const end = isWrong() ? random.pick(['\n', '\r', '', '\r\n\r\n']) : '\r\n'
    text += `${written}${extension}\r\n${content.slice(at, at + size)}${end}`
    at += size
  }
  const trailers = random.once(4)
    ? random.pick([
        'x-org-id: forged\r\n',
        'content-length: 5\r\n',
        'host: b\r\n',
        'x\r\n',
        'authorization: x\n',
        ' folded\r\n',
      ])
    : ''
  return `${text}${isWrong() ? random.pick(['00', '0;x', '0 ', '', '-0']) : '0'}\r\n${trailers}\r\n`
}

function mutate(random: Random, bytes: Buffer): Buffer {
  let result = bytes
  for (let left = 1 + random.int(4); left > 0 && result.length > 0; left--) {
    const at = random.int(result.length)
    const length = random.int(Math.min(60, result.length - at) + 1)
    const slice = result.subarray(at, at + length)
    const inserted = random.pick([
      Buffer.from(
        random.pick(['\r', '\n', '\0', '\r\n', '\r\n\r\n', ' ', '\t', ':', ',', '0', '%', '\x80', '\xff', '/', '..']),
      ),
      slice,
      Buffer.from([random.int(256)]),
      Buffer.alloc(0),
    ])
    result = Buffer.concat([result.subarray(0, at), inserted, result.subarray(random.once(2) ? at : at + length)])
  }
  return result
}
