import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId, randomHandle, randomText } from './id.ts'

test('random text has the length asked for and every letter of its alphabet, evenly', () => {
  assert.equal(randomText(0), '')
  assert.match(randomText(1), /^[A-Za-z0-9]$/)
  const counts = new Map<string, number>()
  for (const letter of randomText(62_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  assert.equal(counts.size, 62)
  // 1000 are expected of each; ten standard deviations away is no accident, and a plain modulo would be 20 % off.
  for (const [letter, count] of counts) assert.ok(count > 680 && count < 1320, `${letter}: ${count}`)
})

test('ids have the shapes that clients expect, of fixed length, so that none is the beginning of another', () => {
  const shapes: Record<keyof typeof newId, RegExp> = {
    environment: /^env_[A-Za-z0-9]{16}$/,
    organization: /^org_[A-Za-z0-9]{16}$/,
    clientCredential: /^cred_[A-Za-z0-9]{22}$/,
    customDomain: /^cd_[A-Za-z0-9]{16}$/,
    discoveryDomain: /^dd_[A-Za-z0-9]{16}$/,
    connection: /^con_[A-Za-z0-9]{16}$/,
    role: /^rol_[A-Za-z0-9]{16}$/,
    clientGrant: /^cgr_[A-Za-z0-9]{16}$/,
    invitation: /^uinv_[A-Za-z0-9]{16}$/,
    job: /^job_[A-Za-z0-9]{16}$/,
    client: /^[A-Za-z0-9]{32}$/,
    thirdPartyClient: /^tpc_[A-Za-z0-9]{28}$/,
    clientSecret: /^[A-Za-z0-9]{64}$/,
    resourceServer: /^[0-9a-f]{24}$/,
    databaseUser: /^[0-9a-f]{24}$/,
    session: /^[A-Za-z0-9]{32}$/,
    authenticationMethod: /^dev_[A-Za-z0-9]{16}$/,
    uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  }
  assert.deepEqual(Object.keys(newId).sort(), Object.keys(shapes).sort())
  for (const [name, shape] of Object.entries(shapes)) {
    const make = newId[name as keyof typeof newId]
    const made = Array.from({ length: 200 }, () => make())
    for (const id of made) assert.match(id, shape)
    assert.equal(new Set(made).size, made.length, name)
  }
})

test('a handle carries 256 bits as 43 characters that need no encoding anywhere', () => {
  const handles = Array.from({ length: 200 }, randomHandle)
  for (const handle of handles) {
    assert.match(handle, /^[A-Za-z0-9_-]{43}$/)
    assert.equal(Buffer.from(handle, 'base64url').length, 32)
  }
  assert.equal(new Set(handles).size, handles.length)
})
