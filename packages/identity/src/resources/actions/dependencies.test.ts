import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startIdentity } from '../../testing.ts'
import { body, create, deploy } from './fixture.ts'

const identity = await startIdentity()
after(() => identity.close())

const HERE = 'axios, buffer, crypto, jsonwebtoken, lodash, node-fetch, querystring, url, util, uuid'

test('dependencies that are here are kept as they were asked for, in the draft, its versions and the way back', async () => {
  const env = await identity.environment()
  const asked = [
    { name: 'axios', version: '1.7.9' },
    { name: 'lodash', version: '^4.17.21', registry_url: 'https://registry.npmjs.org/' },
    { name: 'uuid', version: 'latest' },
    { name: 'node-fetch', version: '2.6.x', registry_url: null },
  ]
  const shown = asked.map(({ name, version }) => ({ name, version }))
  const { id, dependencies } = await create(env, { dependencies: asked })
  assert.deepEqual(dependencies, shown)
  const first = await deploy(env, id)
  assert.deepEqual(first.json.dependencies, shown)
  const read = async () => (await env.manage('GET', `/actions/actions/${id}`)).json
  assert.deepEqual((await read()).deployed_version.dependencies, shown)
  assert.equal((await read()).all_changes_deployed, true)

  // What an export holds can be sent back as it is.
  const changed = await env.manage('PATCH', `/actions/actions/${id}`, { dependencies: [{ name: 'axios' }] })
  assert.deepEqual(changed.json.dependencies, [{ name: 'axios', version: 'latest' }])
  assert.equal((await read()).all_changes_deployed, false)
  await deploy(env, id)
  const { versions } = (await env.manage('GET', `/actions/actions/${id}/versions`)).json
  const earlier = versions.find((version: { number: number }) => version.number === 1)
  const back = await env.manage('POST', `/actions/actions/${id}/versions/${earlier.id}/deploy`, { update_draft: true })
  assert.deepEqual(back.json.dependencies, shown)
  assert.deepEqual((await read()).dependencies, shown)
  assert.deepEqual((await env.manage('PATCH', `/actions/actions/${id}`, { name: 'Renamed' })).json.dependencies, shown)
})

const refused: [dependencies: object[], message: string][] = [
  [
    [{ name: 'request', version: '2.88.2' }],
    `The dependency request is not available. There are: ${HERE}. Put other code into the action.`,
  ],
  [[{ name: 'axios', version: '0.21.1' }], 'The dependency axios is here as 1.x, not as 0.21.1.'],
  [[{ name: 'lodash', version: '3.10.1' }], 'The dependency lodash is here as 4.x, not as 3.10.1.'],
  [
    [{ name: 'axios', version: 'git+https://a.test/x' }],
    'The dependency axios is here as 1.x, not as git+https://a.test/x.',
  ],
  [[{ name: 'axios' }, { name: 'axios' }], 'The dependency axios is given twice.'],
  [
    [{ name: 'axios', registry_url: 'https://npm.example.test' }],
    'The dependency axios is asked from https://npm.example.test: packages of other registries are not here.',
  ],
]

for (const [dependencies, message] of refused) {
  test(`a dependency that could not be obeyed is refused before it fails at a sign-in: ${message.slice(0, 70)}`, async () => {
    const env = await identity.environment()
    const made = await env.manage('POST', '/actions/actions', body({ dependencies }))
    assert.equal(made.status, 400, made.text)
    assert.deepEqual([made.json.errorCode, made.json.message], ['invalid_body', message])
    const { id } = await create(env)
    assert.equal((await env.manage('PATCH', `/actions/actions/${id}`, { dependencies })).json.message, message)
  })
}

test('dependencies that are no list of names are refused', async () => {
  const env = await identity.environment()
  for (const dependencies of [
    [{}],
    ['axios'],
    {},
    [{ name: 'axios', surprise: 1 }],
    Array(11).fill({ name: 'axios' }),
  ]) {
    assert.equal((await env.manage('POST', '/actions/actions', body({ dependencies }))).status, 400)
  }
})
