import assert from 'node:assert/strict'
import { test } from 'node:test'
import { THEME } from '@tenantry/identity/resources/branding/themes/fixture.ts'
import type { Management } from 'auth0'
import type { Open } from './roles.ts'

export function environmentSuite(open: Open): void {
  test('settings of the environment are read and changed', async () => {
    const { api } = open()
    const before = await api.tenants.settings.get()
    const change = { friendly_name: 'Stockroom', support_email: 'help@example.test', idle_session_lifetime: 24 }
    const changed = await api.tenants.settings.update(change)
    assert.deepEqual(changed, { ...before, ...change })
    assert.deepEqual(await api.tenants.settings.get({ fields: 'friendly_name', include_fields: true }), {
      friendly_name: 'Stockroom',
    })
    await api.tenants.settings.update({ idle_session_lifetime: 72 })
  })

  test('the look of the environment is set and taken back', async () => {
    const { api } = open()
    const look = { colors: { primary: '#112233' }, logo_url: 'https://example.test/logo.png' }
    assert.deepEqual(await api.branding.update(look), look)
    assert.deepEqual(await api.branding.get(), look)
    const { templates, themes } = api.branding
    const body = '<!DOCTYPE html><html><head>{%- auth0:head -%}</head><body>{%- auth0:widget -%}</body></html>'
    await templates.updateUniversalLogin({ template: body })
    assert.deepEqual(await templates.getUniversalLogin(), { body })
    await templates.deleteUniversalLogin()
    await assert.rejects(templates.getUniversalLogin(), { statusCode: 404 })

    const asked = THEME as Management.CreateBrandingThemeRequestContent
    const theme = await themes.create(asked)
    const id = theme.themeId
    assert.deepEqual([theme.colors, theme.borders], [asked.colors, asked.borders])
    assert.deepEqual(await themes.get(id), theme)
    assert.deepEqual(await themes.getDefault(), theme)
    const changed = await themes.update(id, { ...asked, displayName: 'Autumn' })
    assert.deepEqual(changed, { ...theme, displayName: 'Autumn' })
    await themes.delete(id)
    await assert.rejects(themes.get(id), { statusCode: 404 })
  })

  test('prompts answer how they ask', async () => {
    const { api } = open()
    const settings = await api.prompts.getSettings()
    assert.equal(settings.universal_login_experience, 'new')
    assert.deepEqual(await api.prompts.updateSettings({ universal_login_experience: 'new' }), settings)
    await api.prompts.customText.set('login', 'en', {})
    assert.deepEqual(await api.prompts.customText.get('login', 'en'), {})
    await api.prompts.partials.set('login', {})
    assert.deepEqual(await api.prompts.partials.get('login'), {})
  })

  test('limits on guessing are changed, and protections that do not exist stay as they are', async () => {
    const { api } = open()
    const { bruteForceProtection, suspiciousIpThrottling, ...others } = {
      bruteForceProtection: api.attackProtection.bruteForceProtection,
      suspiciousIpThrottling: api.attackProtection.suspiciousIpThrottling,
      captcha: api.attackProtection.captcha,
      botDetection: api.attackProtection.botDetection,
      breachedPasswordDetection: api.attackProtection.breachedPasswordDetection,
    }
    const limits = await bruteForceProtection.get()
    assert.deepEqual(await bruteForceProtection.update({ max_attempts: 7 }), { ...limits, max_attempts: 7 })
    assert.deepEqual(await bruteForceProtection.update(limits), limits)
    const throttling = await suspiciousIpThrottling.get()
    assert.deepEqual(await suspiciousIpThrottling.update({ allowlist: ['192.0.2.1'] }), {
      ...throttling,
      allowlist: ['192.0.2.1'],
    })
    assert.deepEqual(await suspiciousIpThrottling.update(throttling), throttling)
    for (const protection of Object.values(others)) {
      const settings = await protection.get()
      assert.deepEqual(await protection.update({}), settings)
    }
    const phones = await api.attackProtection.phoneProviderProtection.get()
    assert.deepEqual(await api.attackProtection.phoneProviderProtection.patch({ type: 'default' }), phones)
  })

  test('signing keys rotate, and the previous one is revoked', async () => {
    const { api } = open()
    const { signing } = api.keys
    const before = await signing.list()
    const current = before.find((key) => key.current)!
    const next = before.find((key) => key.next)!
    assert.deepEqual(await signing.get(current.kid), current)
    const rotated = await signing.rotate()
    assert.deepEqual(rotated, { kid: next.kid, cert: next.cert })
    assert.equal((await signing.get(current.kid)).previous, true)
    const revoked = await signing.revoke(current.kid)
    assert.deepEqual(revoked, { kid: current.kid, cert: current.cert })
    // The token in hand is of the revoked key; one that is asked for now is of the new one.
    await assert.rejects(signing.get(current.kid), { statusCode: 401 })
    assert.equal((await open().api.keys.signing.get(current.kid)).revoked, true)
  })

  test('a domain of the customer is claimed, proven, made the default and given up', async () => {
    const { api, world } = open()
    const { customDomains } = api
    const canonical = await customDomains.getDefault()
    const domain = 'login-sdk7.example.test'
    const asked = { domain, type: 'self_managed_certs' as const, domain_metadata: { brand: 'blue' } }
    const claimed = await customDomains.create(asked)
    const id = claimed.custom_domain_id
    const method = claimed.verification.methods![0] as { record: string; domain: string }
    assert.deepEqual([claimed.domain, claimed.status, claimed.primary], [domain, 'pending_verification', false])
    world.txt.set(method.domain, [[method.record]])
    const ready = await customDomains.verify(id)
    assert.deepEqual(ready, { ...claimed, status: 'ready' })
    assert.deepEqual(await customDomains.test(id), { success: true })
    assert.deepEqual(await customDomains.get(id), ready)
    const chosen = await customDomains.setDefault({ domain })
    assert.deepEqual(chosen, { ...ready, primary: true, is_default: true })
    assert.deepEqual(await customDomains.getDefault(), chosen)
    const changed = await customDomains.update(id, { domain_metadata: { region: 'eu' } })
    assert.deepEqual(changed.domain_metadata, { brand: 'blue', region: 'eu' })
    assert.deepEqual(
      (await customDomains.list({ q: `domain:"${domain}"` })).map((each) => each.custom_domain_id),
      [id],
    )
    await customDomains.delete(id)
    await assert.rejects(customDomains.get(id), { statusCode: 404 })
    assert.deepEqual(await customDomains.getDefault(), canonical)
  })
}
