import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './logger.ts'

const written = (work: (logger: ReturnType<typeof createLogger>) => void, level?: string) => {
  const lines: string[] = []
  work(createLogger({ ...(level ? { level } : {}), destination: { write: (line: string) => void lines.push(line) } }))
  return lines
}

test('a log line is one line of JSON, whatever its text holds (N138, CWE-117)', () => {
  const hostile = 'a\r\n{"level":60,"msg":"forged"}\u001b[31m\u2028b'
  const lines = written((logger) => logger.info({ name: hostile }, hostile))
  assert.equal(lines.length, 1)
  assert.equal(lines[0]!.trimEnd().includes('\n'), false)
  assert.equal(lines[0]!.includes('\u001b'), false)
  const entry = JSON.parse(lines[0]!)
  assert.deepEqual([entry.name, entry.msg], [hostile, hostile])
  assert.equal('pid' in entry || 'hostname' in entry, false)
})

test('what is secret is redacted when somebody logs it by mistake, three levels deep', () => {
  const names = [
    'password',
    'client_secret',
    'access_token',
    'refresh_token',
    'id_token',
    'code_verifier',
    'ticket',
    'secret',
    'authorization',
    'cookie',
    'private_key',
  ]
  for (const name of names) {
    const secret = `marked-${name}`
    const lines = written((logger) => {
      logger.info({ [name]: secret })
      logger.info({ body: { [name]: secret } })
      logger.info({ request: { headers: { [name]: secret } } })
    })
    assert.equal(lines.length, 3)
    for (const line of lines) {
      assert.equal(line.includes(secret), false, line)
      assert.match(line, /\[redacted\]/)
    }
  }
  const codes = written((logger) => logger.info({ query: { code: 'marked' }, body: { code: 'marked' } }))
  assert.equal(codes[0]!.includes('marked'), false)
  assert.match(written((logger) => logger.info({ err: { code: 'ECONNRESET' } }))[0]!, /ECONNRESET/)
})

test('the level decides what is written', () => {
  const say = (logger: ReturnType<typeof createLogger>) => {
    logger.debug('quiet')
    logger.info('usual')
    logger.error('loud')
  }
  assert.deepEqual(
    [undefined, 'debug', 'error'].map((level) => written(say, level).length),
    [2, 3, 1],
  )
})
