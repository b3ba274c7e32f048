import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { renderPartial } from '../branding/page-template/template.ts'
import { problems as managementProblems } from '../management-api.ts'
import type { CustomTexts, Partials } from './schema.ts'

/** The texts of a prompt by screen and name; undefined where no page here has the prompt. */
export type DefaultTexts = (prompt: string) => Readonly<Record<string, Readonly<Record<string, string>>>> | undefined

const refuse = (reason: string) => bodyProblems.invalid_body({ facts: { reason } })

const noPage = (what: string) =>
  managementProblems.operation_not_supported({
    facts: { what: `There is no page with ${what} yet that could show it.` },
  })

/** @throws Problem `invalid_body` for a name that no text has, in Auth0's words; `operation_not_supported` */
export function checkTexts(defaults: DefaultTexts, prompt: string, texts: CustomTexts): CustomTexts {
  const screens = defaults(prompt)
  const shared = defaults('common')?.common ?? {}
  for (const [screen, named] of Object.entries(texts)) {
    if (!screens) throw noPage(`the prompt "${prompt}"`)
    if (!Object.hasOwn(screens, screen)) throw refuse(`Invalid screen "${screen}" in prompt "${prompt}".`)
    for (const name of Object.keys(named)) {
      if (Object.hasOwn(screens[screen]!, name) || Object.hasOwn(shared, name)) continue
      throw refuse(`Invalid key "${name}" in screen "${screen}".`)
    }
  }
  return texts
}

/** Auth0 lets partials stand in these. */
const WITH_PARTIALS: Readonly<Record<string, readonly string[]>> = {
  login: ['login'],
  'login-id': ['login-id'],
  'login-password': ['login-password'],
  'login-passwordless': ['login-passwordless-sms-otp', 'login-passwordless-email-code'],
  signup: ['signup'],
  'signup-id': ['signup-id'],
  'signup-password': ['signup-password'],
  passkeys: ['passkey-enrollment', 'passkey-enrollment-local'],
}

/** Pages here have places for partials in these, as soon as there is the page. */
const RENDERED = ['login', 'login-id', 'login-password', 'signup', 'signup-id', 'signup-password']

/** @throws Problem `invalid_body`, `operation_not_supported` */
export async function checkPartials(defaults: DefaultTexts, prompt: string, partials: Partials): Promise<Partials> {
  const kept: Partials = {}
  for (const [screen, points] of Object.entries(partials)) {
    if (!WITH_PARTIALS[prompt]?.includes(screen)) throw refuse(`Invalid screen "${screen}" in prompt "${prompt}".`)
    if (!RENDERED.includes(screen) || !defaults(prompt)?.[screen]) throw noPage(`the screen "${screen}"`)
    const given = Object.entries(points).filter(([, source]) => source !== '')
    for (const [point, source] of given) await checkPartial(`${screen}.${point}`, source)
    if (given.length > 0) kept[screen] = Object.fromEntries(given)
  }
  return kept
}

async function checkPartial(where: string, source: string): Promise<void> {
  if (/<script[\s>/]/i.test(source)) {
    const what = `Scripts in a partial (${where}) are not supported: the pages let none run. Leave them out.`
    throw managementProblems.operation_not_supported({ facts: { what } })
  }
  try {
    await renderPartial(source, 'nonce', {})
  } catch (error) {
    throw refuse(`'${where}' is not a template that renders: ${(error as Error).message.slice(0, 300)}`)
  }
}
