import assert from 'node:assert/strict'
import { test } from 'node:test'
import { THEME } from '@tenantry/identity/resources/branding/themes/fixture.ts'
import type { EmailProviderCreate, PostBrandingThemeRequest } from 'auth0-4'
import { data, type Open } from './client.ts'

const TEMPLATE = '<html><head>{%- auth0:head -%}</head><body>{%- auth0:widget -%}</body></html>'

export function lookSuite(open: Open): void {
  test('branding, its page template and its theme', async () => {
    const { api } = open()
    const look = { colors: { primary: '#112233', page_background: '#ffffff' }, logo_url: 'https://cdn.acme.test/l.png' }
    assert.deepEqual(await data(api.branding.updateSettings(look)), look)
    assert.deepEqual(await data(api.branding.getSettings()), look)
    await api.branding.setUniversalLoginTemplate({ template: TEMPLATE })
    assert.deepEqual(await data(api.branding.getUniversalLoginTemplate()), { body: TEMPLATE })
    await api.branding.deleteUniversalLoginTemplate()
    await assert.rejects(api.branding.getUniversalLoginTemplate(), { statusCode: 404 })

    const theme = { ...THEME, displayName: 'Blue' } as unknown as PostBrandingThemeRequest
    const made = await data(api.branding.createTheme(theme))
    const { themeId } = made
    assert.deepEqual(made, { ...theme, themeId })
    assert.deepEqual(await data(api.branding.getTheme({ themeId })), made)
    assert.deepEqual(await data(api.branding.getDefaultTheme()), made)
    const red = { ...theme, displayName: 'Red' }
    assert.deepEqual(await data(api.branding.updateTheme({ themeId }, red)), { ...red, themeId })
    await api.branding.deleteTheme({ themeId })
    await assert.rejects(api.branding.getTheme({ themeId }), { statusCode: 404 })
  })

  test('settings of the environment, its prompts and its domains', async () => {
    const { api, world } = open()
    const first = await data(api.tenants.getSettings())
    const changed = await data(api.tenants.updateSettings({ support_email: 'help@acme.test' }))
    assert.deepEqual(changed, { ...first, support_email: 'help@acme.test' })
    assert.deepEqual(await data(api.tenants.getSettings()), changed)

    const settings = await data(api.prompts.get())
    assert.equal(settings.universal_login_experience, 'new')
    assert.deepEqual(await data(api.prompts.update({ universal_login_experience: 'new' })), settings)
    const text = { prompt: 'login', language: 'en' } as const
    await api.prompts.updateCustomTextByLanguage(text, {})
    assert.deepEqual(await data(api.prompts.getCustomTextByLanguage(text)), {})
    await api.prompts.updatePartials({ prompt: 'login' }, {})
    assert.deepEqual(await data(api.prompts.getPartials({ prompt: 'login' })), {})
    const words = { login: { title: 'Hi' } }
    await api.prompts.updateCustomTextByLanguage(text, words)
    assert.deepEqual(await data(api.prompts.getCustomTextByLanguage(text)), words)
    const partials = { login: { 'form-content-end': '<p>Hello</p>' } }
    await api.prompts.updatePartials({ prompt: 'login' }, partials)
    assert.deepEqual(await data(api.prompts.getPartials({ prompt: 'login' })), partials)

    const domain = 'login.four.test'
    const made = await data(api.customDomains.create({ domain, type: 'self_managed_certs' }))
    const id = made.custom_domain_id
    assert.deepEqual([made.domain, made.status], [domain, 'pending_verification'])
    assert.deepEqual(await data(api.customDomains.get({ id })), made)
    assert.deepEqual(await data(api.customDomains.getAll()), [made])
    const { methods } = made.verification as { methods: { domain: string; record: string }[] }
    world.txt.set(methods[0]!.domain, [[methods[0]!.record]])
    assert.deepEqual(await data(api.customDomains.verify({ id })), { ...made, status: 'ready' })
    const described = await data(api.customDomains.update({ id }, { domain_metadata: { brand: 'blue' } }))
    assert.deepEqual(described, { ...made, status: 'ready', domain_metadata: { brand: 'blue' } })
    await api.customDomains.delete({ id })
    await assert.rejects(api.customDomains.get({ id }), { statusCode: 404 })
  })

  test('the mail server and the templates of mails', async () => {
    const { api } = open()
    const shown = {
      name: 'smtp',
      enabled: true,
      default_from_address: 'mail@acme.test',
      credentials: { smtp_host: 'smtp.acme.test', smtp_port: 587, smtp_user: 'acme' },
      settings: {},
    }
    const provider = {
      ...shown,
      credentials: { ...shown.credentials, smtp_pass: 'kept secret' },
    } as EmailProviderCreate
    assert.deepEqual(await data(api.emails.configure(provider)), shown)
    assert.deepEqual(await data(api.emails.get()), shown)
    const changed = { ...shown, default_from_address: 'hello@acme.test' }
    assert.deepEqual(await data(api.emails.update({ default_from_address: 'hello@acme.test' })), changed)

    const template = 'verify_email'
    const made = {
      template,
      subject: 'Confirm',
      body: '<p>{{ url }}</p>',
      from: 'hello@acme.test',
      syntax: 'liquid',
      enabled: true,
    } as const
    const path = { templateName: template } as const
    assert.deepEqual(await data(api.emailTemplates.create(made)), made)
    assert.deepEqual(await data(api.emailTemplates.get(path)), made)
    assert.deepEqual(await data(api.emailTemplates.update(path, { subject: 'Please' })), { ...made, subject: 'Please' })
    assert.deepEqual(await data(api.emailTemplates.put(path, made)), made)
  })
}
