import assert from 'node:assert/strict'
import { test } from 'node:test'
import { THEME } from '@tenantry/identity/resources/branding/themes/fixture.ts'
import type { Open } from './client.ts'

const TEMPLATE = '<html><head>{%- auth0:head -%}</head><body>{%- auth0:widget -%}</body></html>'

export function lookSuite(open: Open): void {
  test('branding, its page template and its theme', async () => {
    const { api } = open()
    const look = { colors: { primary: '#112233', page_background: '#ffffff' }, logo_url: 'https://cdn.acme.test/l.png' }
    assert.deepEqual(await api.branding.updateSettings({}, look), look)
    assert.deepEqual(await api.branding.getSettings(), look)
    assert.deepEqual(await api.branding.updateSettings({}, { colors: null, logo_url: null }), {})

    await api.branding.setUniversalLoginTemplate({}, { template: TEMPLATE })
    assert.deepEqual(await api.branding.getUniversalLoginTemplate(), { body: TEMPLATE })
    await api.branding.deleteUniversalLoginTemplate()
    await assert.rejects(api.branding.getUniversalLoginTemplate(), { statusCode: 404 })

    const made = await api.branding.createTheme({ ...THEME, displayName: 'Blue' })
    assert.deepEqual(made, { ...THEME, displayName: 'Blue', themeId: made.themeId })
    const id = made.themeId
    assert.deepEqual(await api.branding.getTheme({ id }), made)
    assert.deepEqual(await api.branding.getDefaultTheme(), made)
    const widget = { ...THEME.widget, logo_height: 60 }
    assert.deepEqual(await api.branding.updateTheme({ id }, { ...THEME, widget, displayName: 'Red' }), {
      ...made,
      widget,
      displayName: 'Red',
    })
    await api.branding.deleteTheme({ id })
    await assert.rejects(api.branding.getTheme({ id }), { statusCode: 404 })
  })

  test('settings of the environment', async () => {
    const { api } = open()
    const first = await api.tenant.getSettings()
    const changed = await api.tenant.updateSettings({ friendly_name: 'Stockroom', support_email: 'help@acme.test' })
    assert.deepEqual(changed, { ...first, friendly_name: 'Stockroom', support_email: 'help@acme.test' })
    assert.deepEqual(await api.tenant.getSettings(), changed)
    assert.deepEqual(
      await api.tenant.updateSettings({ friendly_name: first.friendly_name ?? '', support_email: '' }),
      first,
    )
  })

  test('prompts say how Universal Login asks, and in which words', async () => {
    const { api } = open()
    const settings = await api.prompts.getSettings()
    assert.equal(settings.universal_login_experience, 'new')
    assert.deepEqual(await api.prompts.updateSettings({}, { universal_login_experience: 'new' }), settings)
    const path = { prompt: 'login', language: 'en' }
    await api.prompts.updateCustomTextByLanguage({ ...path, body: {} })
    assert.deepEqual(await api.prompts.getCustomTextByLanguage({ ...path }), {})
    const words = { login: { title: 'Hi' } }
    await api.prompts.updateCustomTextByLanguage({ ...path, body: words })
    assert.deepEqual(await api.prompts.getCustomTextByLanguage({ ...path }), words)
    await api.prompts.updateCustomTextByLanguage({ ...path, body: {} })
  })

  test('custom domains, verified in DNS', async () => {
    const { api, tag, world } = open()
    const domain = `login.${tag}.test`
    const made = await api.customDomains.create({ domain, type: 'self_managed_certs' })
    const id = made.custom_domain_id
    assert.deepEqual([made.domain, made.status], [domain, 'pending_verification'])
    assert.deepEqual(await api.customDomains.get({ id }), made)
    assert.deepEqual(await api.customDomains.getAll(), [made])
    const [method] = made.verification.methods
    world.txt.set(method.domain, [[method.record]])
    assert.deepEqual(await api.customDomains.verify({ id }), { ...made, status: 'ready' })
    assert.equal((await api.customDomains.get({ id })).status, 'ready')
    await api.customDomains.delete({ id })
    await assert.rejects(api.customDomains.get({ id }), { statusCode: 404 })
  })
}
