/**
 * Rendering of Universal Login. Liquid templates, every value escaped unless a template says otherwise, under a policy
 * that lets nothing run or load but our own files. Organization names, logos and colours are hostile input.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Liquid } from 'liquidjs'
import { exactDate } from '../delivery/dates.ts'
import { designTokens } from '../design-tokens.ts'
import { friendlyName } from '../environments/environment.ts'
import { asker } from '../logs/tenant-log.ts'
import { framePage } from '../resources/branding/page-template/template.ts'
import { environmentLook, type PageLook, styleOf } from './look.ts'

const directory = fileURLToPath(new URL('pages/', import.meta.url))
const liquid = new Liquid({
  root: directory,
  extname: '.liquid',
  outputEscape: 'escape',
  strictFilters: true,
  cache: true,
  ownPropertyOnly: true,
})

const asset = (name: string, type: string, before = '') => {
  const body = Buffer.from(before + readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8'))
  const version = createHash('sha256').update(body).digest('hex').slice(0, 12)
  return { body, type, path: `/u/assets/${name}`, href: `/u/assets/${name}?v=${version}` }
}
export const assets = [
  asset('login.css', 'text/css; charset=utf-8', designTokens),
  asset('login.js', 'text/javascript; charset=utf-8'),
]

export interface PageOptions {
  status?: number
  look: PageLook
  /** Where a form's answer may lead: browsers apply form-action to the redirect after a post as well. */
  redirectUri?: string | undefined
  /** The page may stand in a window that the application opened and waits for: it then keeps its opener. */
  inPopup?: boolean
  values: Record<string, unknown>
}

export type PageName =
  | 'login'
  | 'organization'
  | 'invitation'
  | 'email-verification'
  | 'reset-verify'
  | 'ticket-done'
  | 'error'
  | 'logout'
  | 'signed-out'

export async function sendPage(reply: FastifyReply, page: PageName, options: PageOptions): Promise<FastifyReply> {
  const nonce = randomBytes(16).toString('base64')
  const alone: string = await liquid.renderFile(page, {
    ...options.values,
    look: options.look,
    nonce,
    brand_style: styleOf(options.look),
    css: assets[0]!.href,
    js: assets[1]!.href,
  })
  const framed = await inFrame(reply.request, page, alone, nonce, options)
  const formTarget = sourceOf(options.redirectUri)
  const images = [...new Set([sourceOf(options.look.logo), sourceOf(options.look.favicon)])].join('')
  // What a template brings is its administrator's: its pictures, and its style attributes.
  const [pictures, attributes] = framed ? [' https:', " style-src-attr 'unsafe-inline';"] : [images, '']
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

/**
 * The page inside the environment's own template, or undefined when there is none or it fails: a page that people sign in
 * with must not depend on it.
 */
async function inFrame(
  request: FastifyRequest,
  page: PageName,
  alone: string,
  nonce: string,
  { look, values }: PageOptions,
): Promise<string | undefined> {
  const { environment } = request
  const template = environment?.branding?.page_template
  if (!template) return undefined
  const [, head = '', widget = ''] = /<head>\n([\s\S]*?)<\/head>\n<body>\n([\s\S]*)<\/body>/.exec(alone) ?? []
  const { settings } = environment
  const title = /<title>([^<]*)/.exec(head)?.[1] ?? ''
  try {
    return await framePage(
      template,
      { head, widget, nonce },
      {
        branding: { logo_url: look.logo, colors: { primary: look.primaryColor } },
        tenant: {
          friendly_name: friendlyName(environment),
          support_email: settings.support_email,
          support_url: settings.support_url,
          enabled_locales: ['en'],
        },
        application: { name: look.application, logo_url: look.logo },
        organization: values.organization,
        prompt: { name: page, screen: { name: page, texts: { pageTitle: title } } },
        locale: 'en',
      },
    )
  } catch (err) {
    const reason = err instanceof Error ? err.message : 'unknown'
    const description = `The page template failed, so the page was shown without it: ${reason}`
    request.tenantLog.add(environment.id, { type: 'w', description, ...asker(request) })
    return undefined
  }
}

/**
 * One more source for a directive of the policy, or nothing. An application's own scheme has no origin; the scheme itself
 * is named then. A host may hold what separates parts of a policy (`https://a;b` is an address): such a one is left out.
 */
function sourceOf(uri: string | undefined): string {
  if (uri === undefined || !URL.canParse(uri)) return ''
  const { origin, protocol } = new URL(uri)
  const source = origin === 'null' ? protocol : origin
  return /[;,'*]/.test(source) ? '' : ` ${source}`
}

/** A dead end that names what happened and what to do, with a reference that finds the log entry. */
export function sendErrorPage(
  request: FastifyRequest,
  reply: FastifyReply,
  error: {
    status: number
    title: string
    text: string
    code: string
    reason?: string
    at: Date
    /** What finds the log entry, unless it is the request's own. */
    reference?: string
    application?: string
    continueTo?: string | undefined
    continueText?: string
  },
): Promise<FastifyReply> {
  const look = environmentLook(request.environment)
  const { support_email, support_url } = request.environment?.settings ?? {}
  return sendPage(reply, 'error', {
    status: error.status,
    look,
    values: {
      application: look.application,
      reference: request.id,
      support_email,
      support_url,
      ...error,
      when: exactDate(error.at),
    },
  })
}
