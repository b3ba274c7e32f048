import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeApi } from './api-description.ts'
import { findSlots, slotNamed } from './slots.ts'

const document = {
  openapi: '3.1.0',
  info: { title: 'Parcels' },
  servers: [{ url: '/v1' }],
  security: [{ bearer: [] }],
  components: {
    parameters: { Id: { name: 'parcelId', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } } },
    schemas: {
      Base: { type: 'object', required: ['name'], properties: { name: { type: ['string', 'null'], maxLength: 9 } } },
      Parcel: {
        allOf: [
          { $ref: '#/components/schemas/Base' },
          {
            type: 'object',
            properties: { parent: { $ref: '#/components/schemas/Parcel' }, state: { enum: ['open'] } },
          },
        ],
      },
    },
  },
  paths: {
    '/health': { get: { security: [] } },
    '/parcels': {
      get: {},
      post: {
        requestBody: {
          required: true,
          content: { 'text/csv': {}, 'application/json': { schema: { $ref: '#/components/schemas/Parcel' } } },
        },
      },
    },
    '/parcels/{parcelId}': { parameters: [{ $ref: '#/components/parameters/Id' }], get: {}, delete: {} },
    '/parcels/{parcelId}/events/{n}': { get: {} },
  },
}

test('routes are read with inherited parameters, references, and what needs no credentials', () => {
  const { title, server, routes } = describeApi(document)
  assert.deepEqual([title, server], ['Parcels', '/v1'])
  assert.deepEqual(
    routes.map(({ key, open, parameters }) => [
      key,
      open,
      parameters.map(({ name, shape }) => `${name} ${shape.format ?? shape.type}`),
    ]),
    [
      ['GET /health', true, []],
      ['GET /parcels', false, []],
      ['POST /parcels', false, []],
      ['GET /parcels/{parcelId}', false, ['parcelId uuid']],
      ['DELETE /parcels/{parcelId}', false, ['parcelId uuid']],
      // Nobody declared these two: the template names them.
      ['GET /parcels/{parcelId}/events/{n}', false, ['parcelId string', 'n string']],
    ],
  )
})

test('a body’s shape has its parts put together, and one that holds itself comes to an end', () => {
  const { body } = describeApi(document).routes[2]!
  assert.equal(body!.contentType, 'application/json')
  assert.deepEqual(Object.keys(body!.shape.properties).sort(), ['name', 'parent', 'state'])
  assert.deepEqual([body!.shape.required, body!.shape.properties.name!.maxLength], [['name'], 9])
  assert.deepEqual(body!.shape.properties.state!.values, ['open'])
})

test('what is not OpenAPI 3, or has no route, is refused by name', () => {
  for (const wrong of [undefined, 'x', {}, { swagger: '2.0' }])
    assert.throws(() => describeApi(wrong), { code: 'document_refused', message: /not OpenAPI 3/ })
  assert.throws(() => describeApi({ openapi: '3.0.0', paths: {} }), { code: 'document_refused', message: /no route/ })
})

test('slots know what lists, makes and reads them, and names find them', () => {
  const { routes } = describeApi(document)
  const slots = findSlots(routes)
  const parcel = slots.get('/parcels/{}')!
  assert.deepEqual(
    [parcel.noun, parcel.list?.key, parcel.makes.map(({ key }) => key), parcel.read?.key, parcel.removes?.key],
    ['parcel', 'GET /parcels', ['POST /parcels'], 'GET /parcels/{parcelId}', 'DELETE /parcels/{parcelId}'],
  )
  assert.equal(slots.get('/parcels/{}/events/{}')!.parent, '/parcels/{}')
  for (const name of ['parcelId', 'parcel_id', 'parcel', 'parcelIds'])
    assert.equal(slotNamed(slots, name, '/x')?.path, '/parcels/{}', name)
  assert.equal(slotNamed(slots, 'ids', '/parcels/batch')?.path, '/parcels/{}')
  assert.equal(slotNamed(slots, 'colour', '/parcels'), undefined)
})
