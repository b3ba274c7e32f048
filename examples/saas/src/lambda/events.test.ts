import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { answerEvent, type HttpApiEvent } from './events.ts'

const event = (rawPath: string): HttpApiEvent => ({
  rawPath,
  rawQueryString: '',
  headers: {},
  isBase64Encoded: false,
  requestContext: { http: { method: 'GET', sourceIp: '192.0.2.7' } },
})

test('what is no text leaves a function in base64, byte for byte; texts and empty answers leave it as they are', async () => {
  const service = Fastify()
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n))
  service.get('/binary', (_request, reply) => reply.type('application/octet-stream').send(bytes))
  service.get('/json', () => ({ name: 'Zürich' }))
  service.get('/nothing', (_request, reply) => reply.code(204).send())
  const binary = await answerEvent(service, event('/binary'))
  assert.deepEqual([binary.statusCode, binary.isBase64Encoded], [200, true])
  assert.deepEqual(Buffer.from(binary.body, 'base64'), bytes)
  const json = await answerEvent(service, event('/json'))
  assert.deepEqual([json.isBase64Encoded, json.body], [false, '{"name":"Zürich"}'])
  const nothing = await answerEvent(service, event('/nothing'))
  assert.deepEqual([nothing.statusCode, nothing.isBase64Encoded, nothing.body], [204, false, ''])
})
