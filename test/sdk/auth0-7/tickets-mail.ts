import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import type { Open } from './roles.ts'

export function ticketsAndMailSuite(open: Open): void {
  test('tickets are links to pages of the environment', async () => {
    const { api, world } = open()
    const connection = await api.connections.create({ name: 'ticketed', strategy: 'auth0' })
    const user = await api.users.create({ connection: 'ticketed', email: 'ida@ticketed.test', password: PASSWORD })
    const proof = await api.tickets.verifyEmail({ user_id: user.user_id!, ttl_sec: 60 })
    const page = `${world.origin}/u/email-verification?ticket=`
    assert.ok(proof.ticket.startsWith(page), proof.ticket)
    const change = await api.tickets.changePassword({
      connection_id: connection.id!,
      email: 'IDA@ticketed.test',
      mark_email_as_verified: true,
    })
    assert.equal((await fetch(change.ticket)).status, 200)
    assert.notEqual(change.ticket, proof.ticket)
    await api.connections.delete(connection.id!)
  })

  test('the mail server of the environment is set, shown without its password, changed and taken away', async () => {
    const { api } = open()
    const { provider } = api.emails
    await assert.rejects(provider.get(), { statusCode: 404 })
    const credentials = { smtp_host: 'smtp.example.test', smtp_port: 587, smtp_user: 'stockroom' }
    const shown = {
      name: 'smtp' as const,
      enabled: true,
      default_from_address: 'mail@stockroom.example.test',
      credentials,
      settings: {},
    }
    const made = await provider.create({ ...shown, credentials: { ...credentials, smtp_pass: 'kept secret' } })
    assert.deepEqual(made, shown)
    assert.deepEqual(await provider.get({ fields: 'name,enabled', include_fields: true }), {
      name: 'smtp',
      enabled: true,
    })
    assert.deepEqual(await provider.update({ enabled: false }), { ...shown, enabled: false })
    assert.deepEqual(await provider.get(), { ...shown, enabled: false })
    await provider.delete()
    await assert.rejects(provider.get(), { statusCode: 404 })
  })

  test('a template of a mail is created, read, changed and set', async () => {
    const { api } = open()
    const template = {
      template: 'verify_email' as const,
      body: '<p>Hello {{ user.name }}, <a href="{{ url }}">confirm</a></p>',
      from: 'Stockroom <hello@mail.example.test>',
      resultUrl: 'https://app.example.test/done',
      subject: 'Confirm',
      syntax: 'liquid',
      urlLifetimeInSeconds: 3600,
      includeEmailInRedirect: true,
      enabled: true,
    }
    assert.deepEqual(await api.emailTemplates.create(template), template)
    assert.deepEqual(await api.emailTemplates.get('verify_email'), template)
    const changed = await api.emailTemplates.update('verify_email', { subject: 'Please confirm' })
    assert.deepEqual(changed, { ...template, subject: 'Please confirm' })
    const whole = { ...template, subject: 'Again' }
    assert.deepEqual(await api.emailTemplates.set('verify_email', whole), whole)
    assert.deepEqual(await api.emailTemplates.get('verify_email'), whole)
  })
}
