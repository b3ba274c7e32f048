import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Open } from './client.ts'

const PROVIDER = {
  name: 'smtp',
  enabled: true,
  default_from_address: 'mail@acme.test',
  credentials: { smtp_host: 'smtp.acme.test', smtp_port: 587, smtp_user: 'acme' },
  settings: {},
}

export function mailSuite(open: Open): void {
  test('the mail server, shown without its password', async () => {
    const { api } = open()
    const credentials = { ...PROVIDER.credentials, smtp_pass: 'kept secret' }
    assert.deepEqual(await api.emailProvider.configure({ ...PROVIDER, credentials }), PROVIDER)
    assert.deepEqual(await api.emailProvider.get(), PROVIDER)
    const changed = { ...PROVIDER, default_from_address: 'hello@acme.test' }
    assert.deepEqual(await api.emailProvider.update({}, { default_from_address: 'hello@acme.test' }), changed)
    assert.deepEqual(await api.emailProvider.get(), changed)
    await api.emailProvider.delete()
    await assert.rejects(api.emailProvider.get(), { statusCode: 404 })
  })

  test('templates of mails', async () => {
    const { api, tag } = open()
    // There is no deleting them, so each run takes its own.
    const template = tag.startsWith('managers') ? 'verify_email' : 'welcome_email'
    const made = { template, subject: 'Confirm', body: '<a href="{{ url }}">here</a>', syntax: 'liquid', enabled: true }
    assert.deepEqual(await api.emailTemplates.create(made), made)
    assert.deepEqual(await api.emailTemplates.get({ name: template }), made)
    const changed = { ...made, subject: 'Please confirm' }
    assert.deepEqual(await api.emailTemplates.update({ name: template }, { subject: 'Please confirm' }), changed)
    assert.deepEqual(await api.emailTemplates.get({ name: template }), changed)
  })
}
