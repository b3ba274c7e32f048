/**
 * Rendering of Universal Login. Liquid templates, every value escaped unless a template says otherwise, under a policy
 * that lets nothing run or load but our own files. Organization names, logos and colours are hostile input.
 */

import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Liquid } from 'liquidjs'
import { exactDate } from '../delivery/dates.ts'
import { enabledLocales, friendlyName } from '../environments/environment.ts'
import { chooseLanguage, directionOf } from '../languages.ts'
import { files } from './files.ts'
import { type About, inFrame, renderPartials } from './frame.ts'
import { environmentLook, type PageLook, styleOf } from './look.ts'
import { textsOf } from './texts.ts'
import type { Screen, Words } from './words.ts'

const directory = fileURLToPath(new URL('pages/', import.meta.url))
const liquid = new Liquid({
  root: directory,
  extname: '.liquid',
  outputEscape: 'escape',
  strictFilters: true,
  cache: true,
  ownPropertyOnly: true,
})

export interface PageOptions {
  status?: number
  look: PageLook
  /** What a template around the page may show. */
  about?: About
  /** Where a form's answer may lead: browsers apply form-action to the redirect after a post as well. */
  redirectUri?: string | undefined
  /** What the application asked for, as it came. */
  uiLocales?: string | undefined
  /** The page may stand in a window that the application opened and waits for: it then keeps its opener. */
  inPopup?: boolean
  /** Pictures of the page beside those of its look. */
  images?: string[]
  values: Record<string, unknown>
}

/** Each page, and the prompt and screen whose texts it shows. */
const PAGES = {
  login: ['login', 'login'],
  'account-picker': ['login', 'account-picker'],
  'login-id': ['login-id', 'login-id'],
  'login-password': ['login-password', 'login-password'],
  signup: ['signup', 'signup'],
  consent: ['consent', 'consent'],
  'reset-password-request': ['reset-password', 'reset-password-request'],
  'reset-password-email': ['reset-password', 'reset-password-email'],
  'login-email-verification': ['login-email-verification', 'login-email-verification'],
  organization: ['organizations', 'organization-selection'],
  'organization-picker': ['organizations', 'organization-picker'],
  invitation: ['invitation', 'accept-invitation'],
  'passkey-enrollment': ['passkeys', 'passkey-enrollment'],
  'passkey-enrollment-local': ['passkeys', 'passkey-enrollment-local'],
  'email-verification': ['email-verification', 'email-verification'],
  'email-verification-result': ['email-verification', 'email-verification-result'],
  'reset-verify': ['reset-password', 'reset-password'],
  'reset-password-success': ['reset-password', 'reset-password-success'],
  account: ['account', 'account'],
  unblock: ['brute-force-protection', 'brute-force-protection-unblock'],
  'unblock-success': ['brute-force-protection', 'brute-force-protection-unblock-success'],
  passwordless: ['login-passwordless', 'login-passwordless'],
  'passwordless-code': ['login-passwordless', 'login-passwordless-code'],
  'device-activation': ['device-flow', 'device-code-activation'],
  'device-confirmation': ['device-flow', 'device-code-confirmation'],
  'device-success': ['device-flow', 'device-code-activation-allowed'],
  'device-denied': ['device-flow', 'device-code-activation-denied'],
  'mfa-otp-challenge': ['mfa-otp', 'mfa-otp-challenge'],
  'mfa-otp-enrollment': ['mfa-otp', 'mfa-otp-enrollment-qr'],
  'mfa-sms-challenge': ['mfa-sms', 'mfa-sms-challenge'],
  'mfa-sms-enrollment': ['mfa-sms', 'mfa-sms-enrollment'],
  'mfa-email-challenge': ['mfa-email', 'mfa-email-challenge'],
  'mfa-recovery-code-challenge': ['mfa-recovery-code', 'mfa-recovery-code-challenge'],
  'mfa-recovery-code-enrollment': ['mfa-recovery-code', 'mfa-recovery-code-enrollment'],
  'mfa-webauthn-roaming-challenge': ['mfa-webauthn', 'mfa-webauthn-roaming-challenge'],
  'mfa-webauthn-platform-challenge': ['mfa-webauthn', 'mfa-webauthn-platform-challenge'],
  'mfa-webauthn-roaming-enrollment': ['mfa-webauthn', 'mfa-webauthn-roaming-enrollment'],
  'mfa-webauthn-platform-enrollment': ['mfa-webauthn', 'mfa-webauthn-platform-enrollment'],
  'mfa-login-options': ['mfa', 'mfa-login-options'],
  'mfa-enroll-options': ['mfa', 'mfa-enroll-options'],
  'mfa-enroll-result': ['mfa', 'mfa-enroll-result'],
  error: ['status', 'status'],
  logout: ['logout', 'logout'],
  'signed-out': ['logout', 'logout-complete'],
  'form-post': ['status', 'form-post'],
  redirect: ['status', 'redirect'],
} as const satisfies Record<string, readonly [prompt: string, screen: string]>
export type PageName = keyof typeof PAGES

/** The language of the pages that answer this request; a host that nobody knows speaks English. */
export const languageOf = ({ environment, headers }: FastifyRequest, uiLocales?: string): string =>
  chooseLanguage(enabledLocales(environment), uiLocales, headers['accept-language'])

export async function sendPage(reply: FastifyReply, page: PageName, options: PageOptions): Promise<FastifyReply> {
  const nonce = randomBytes(16).toString('base64')
  const { request } = reply
  const [prompt, screen] = PAGES[page]
  const language = languageOf(request, options.uiLocales)
  const words = await wordsOf(request, { prompt, screen, language }, options.status)
  const texts = textsOf({ language, prompt, screen }, { ...options.values, ...namesOf(request, options) }, words.texts)
  const around = { request, nonce, prompt, screen, language, texts, look: options.look, about: options.about }
  const partials = await renderPartials(around, words.partials)
  // Nothing in it waits: rendered in steps it cost a twelfth of a sign-in's own work.
  const alone: string = liquid.renderFileSync(page, {
    ...options.values,
    partials,
    // What is wrong is named by the key of its text.
    refused: texts[String(options.values.refused)] ?? options.values.refused,
    texts,
    language,
    direction: directionOf(language),
    look: options.look,
    nonce,
    brand_style: styleOf(options.look),
    css: files.css.href,
    js: files.js.href,
    passkeys_js: files.passkeys.href,
  })
  const framed = await inFrame(around, alone)
  // Without it the browser would stop the sign-in at its last step, and say so to nobody.
  const formTarget = sourceOf(options.redirectUri) || schemeOf(options.redirectUri)
  const { logo, favicon } = options.look
  const images = [...new Set([logo, favicon, ...(options.images ?? [])].map(sourceOf))].join('')
  // What a template or a partial brings is its administrator's: its pictures, and its style attributes.
  const [pictures, attributes] =
    framed || Object.keys(partials).length > 0 ? [' https:', " style-src-attr 'unsafe-inline';"] : [images, '']
  return (
    reply
      .code(options.status ?? 200)
      .type('text/html; charset=utf-8')
      .header('cache-control', 'no-store')
      // Not `no-referrer`: a browser then sends `Origin: null` with the form, and the check of its origin fails.
      .header('referrer-policy', 'same-origin')
      .header('x-content-type-options', 'nosniff')
      .header('x-frame-options', 'DENY')
      .header('cross-origin-opener-policy', options.inPopup ? 'unsafe-none' : 'same-origin')
      .header('permissions-policy', 'camera=(), microphone=(), geolocation=()')
      .header(
        'content-security-policy',
        `default-src 'none'; style-src 'self' 'nonce-${nonce}';${attributes} script-src 'self'; img-src 'self' data:${pictures}; ` +
          `form-action 'self'${formTarget}; base-uri 'none'; frame-ancestors 'none'`,
      )
      .send(framed ?? alone)
  )
}

/** The environment's own words, except where it may be the database that failed: that page must come all the same. */
async function wordsOf(request: FastifyRequest, screen: Screen, status = 200): Promise<Words> {
  if (!request.environment || status >= 500) return { texts: {}, partials: {} }
  return request.words(request.environment.id, screen)
}

/** What texts may name on every page, under Auth0's names. */
const namesOf = ({ environment }: FastifyRequest, { look, values }: PageOptions) => ({
  clientName: look.application,
  companyName: look.company,
  organizationName: (values.organization as { name: string } | undefined)?.name,
  tenantName: environment && friendlyName(environment),
})

/**
 * One more source for a directive of the policy, or nothing. A policy has words for hosts of letters, digits, hyphens and
 * points alone: browsers ignore `http://[::1]` and `https://a_b`, and `https://a;b` would begin another directive.
 */
function sourceOf(uri: string | undefined): string {
  if (uri === undefined || !URL.canParse(uri)) return ''
  const { origin } = new URL(uri)
  return /^https?:\/\/[a-z0-9.-]+(:\d+)?$/.test(origin) ? ` ${origin}` : ''
}

/** For an address whose host has no words, and for an application's own scheme, which has no host. */
const schemeOf = (uri: string | undefined): string =>
  uri === undefined || !URL.canParse(uri) ? '' : ` ${new URL(uri).protocol}`

/** A dead end that names what happened and what to do, with a reference that finds the log entry. */
export function sendErrorPage(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    name,
    uiLocales,
    inPopup = false,
    look: known,
    ...error
  }: {
    status: number
    /** Of its texts in `texts/<language>/status.json`: the title has `-title` behind it. */
    name: string
    /** Said where there is no text. */
    message?: string
    code: string
    reason?: string
    at: Date
    /** What finds the log entry, unless it is the request's own. */
    reference?: string
    application?: string
    /** Whose page it is, where that is known already. */
    look?: PageLook
    uiLocales?: string | undefined
    /** As of every page. */
    inPopup?: boolean
    continueTo?: string | undefined
    /** The name of the text on the button. */
    continueText?: 'backLinkText' | 'goLinkText'
  },
): Promise<FastifyReply> {
  const base = known ?? environmentLook(request.environment)
  const look = { ...base, application: error.application ?? base.application }
  const { support_email, support_url } = request.environment?.settings ?? {}
  return sendPage(reply, 'error', {
    status: error.status,
    look,
    uiLocales,
    inPopup,
    values: {
      reference: request.id,
      support_email,
      support_url,
      ...error,
      application: look.application,
      title: `${name}-title`,
      text: name,
      when: exactDate(error.at, languageOf(request, uiLocales)),
    },
  })
}
