/**
 * Rendering of Universal Login. Liquid templates, every value escaped unless a template says otherwise, under a policy
 * that lets nothing run or load but our own files. Organization names, logos and colours are hostile input.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Liquid } from 'liquidjs'
import { type BrandTokens, brandTokens, contrast } from '../brand-colors.ts'
import { exactDate } from '../delivery/dates.ts'
import { initials } from '../delivery/render.ts'
import { designTokens } from '../design-tokens.ts'
import { friendlyName, type RequestEnvironment } from '../environments/environment.ts'

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

export interface PageLook {
  /** The application's name, as its client is called. */
  application: string
  logo?: string | undefined
  /** A square tile of initials stands in for a logo. */
  initials: string
  primaryColor?: string | undefined
  pageBackground?: string | undefined
}

export interface PageOptions {
  status?: number
  look: PageLook
  /** Where a form's answer may lead: browsers apply form-action to the redirect after a post as well. */
  redirectUri?: string | undefined
  /** The page may stand in a window that the application opened and waits for: it then keeps its opener. */
  inPopup?: boolean
  values: Record<string, unknown>
}

export type PageName = 'login' | 'organization' | 'invitation' | 'error' | 'logout' | 'signed-out'

export async function sendPage(reply: FastifyReply, page: PageName, options: PageOptions): Promise<FastifyReply> {
  const nonce = randomBytes(16).toString('base64')
  const html = await liquid.renderFile(page, {
    ...options.values,
    look: options.look,
    nonce,
    brand_style: brandStyle(options.look),
    css: assets[0]!.href,
    js: assets[1]!.href,
  })
  const formTarget = sourceOf(options.redirectUri)
  const image = sourceOf(options.look.logo)
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
        `default-src 'none'; style-src 'self' 'nonce-${nonce}'; script-src 'self'; img-src 'self' data:${image}; ` +
          `form-action 'self'${formTarget}; base-uri 'none'; frame-ancestors 'none'`,
      )
      .send(html)
  )
}

/** A page of nobody's organization is the environment's. */
export function environmentLook(environment: RequestEnvironment | undefined): PageLook {
  // A host that is not known has no environment.
  const application = environment ? friendlyName(environment) : 'Tenantry'
  return { application, initials: initials(application) }
}

/** The brand's values for both themes; they come from validated colours, so nothing can end the style element. */
const brandStyle = ({ primaryColor, pageBackground }: PageLook): string =>
  (primaryColor ? colorStyle(primaryColor) : '') + (pageBackground ? backgroundStyle(pageBackground) : '')

function colorStyle(primary: string): string {
  const { light, dark } = brandTokens(primary)
  const values = (tokens: BrandTokens) =>
    `--brand:${tokens.brand};--brand-hover:${tokens.brandHover};--brand-on:${tokens.brandOn};` +
    `--brand-edge:${tokens.brandEdge};--brand-text:${tokens.brandText};--focus:${tokens.focus}`
  return `:root{${values(light)}}@media (prefers-color-scheme:dark){:root{${values(dark)}}}`
}

const DARK_TEXT = '#e7eeef'

/** The footer is the only text outside of the card: it gets a ground of its own. A bright page would glare in the dark. */
const backgroundStyle = (background: string): string =>
  `body{background:${background}}.by span{background:var(--surface);padding:4px 12px;border-radius:var(--radius)}` +
  (contrast(DARK_TEXT, background) >= 4.5 ? '' : '@media (prefers-color-scheme:dark){body{background:var(--canvas)}}')

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
  return sendPage(reply, 'error', {
    status: error.status,
    look,
    values: { application: look.application, reference: request.id, ...error, when: exactDate(error.at) },
  })
}
