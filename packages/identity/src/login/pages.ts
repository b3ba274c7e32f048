/**
 * Rendering of Universal Login. Liquid templates, every value escaped unless a template says otherwise, under a policy
 * that lets nothing run or load but our own files. Organization names, logos and colours are hostile input.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Liquid } from 'liquidjs'
import { type BrandTokens, brandTokens, textOn } from '../brand-colors.ts'
import { initials } from '../delivery/render.ts'
import { friendlyName } from '../environments/environment.ts'

const directory = fileURLToPath(new URL('pages/', import.meta.url))
const liquid = new Liquid({
  root: directory,
  extname: '.liquid',
  outputEscape: 'escape',
  strictFilters: true,
  cache: true,
  ownPropertyOnly: true,
})

const asset = (name: string, type: string) => {
  const body = readFileSync(new URL(`assets/${name}`, import.meta.url))
  const version = createHash('sha256').update(body).digest('hex').slice(0, 12)
  return { body, type, path: `/u/assets/${name}`, href: `/u/assets/${name}?v=${version}` }
}
export const assets = [
  asset('login.css', 'text/css; charset=utf-8'),
  asset('login.js', 'text/javascript; charset=utf-8'),
]

export interface PageLook {
  /** The application's name, as its client is called. */
  application: string
  logo?: string | undefined
  /** A square tile of initials stands in for a logo. */
  initials: string
  primaryColor?: string | undefined
  /** What the card stands on. */
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
    brand_style: `${brandStyle(options.look.primaryColor)}${groundStyle(options.look.pageBackground)}`,
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

/** The brand's values for both themes; they come from a validated colour, so nothing can end the style element. */
function brandStyle(primary: string | undefined): string {
  if (primary === undefined) return ''
  const { light, dark } = brandTokens(primary)
  const values = (tokens: BrandTokens) =>
    `--brand:${tokens.brand};--brand-hover:${tokens.brandHover};--brand-on:${tokens.brandOn};` +
    `--brand-edge:${tokens.brandEdge};--brand-text:${tokens.brandText};--focus:${tokens.focus}`
  return `:root{${values(light)}}@media (prefers-color-scheme:dark){:root{${values(dark)}}}`
}

/** The ground that a brand chose, in both themes, and what is read on it. Validated as the other colour is. */
const groundStyle = (ground: string | undefined): string =>
  ground === undefined ? '' : `body{background:${ground}}.by{color:${textOn(ground)}}`

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
    application?: string
    continueTo?: string | undefined
    continueText?: string
  },
): Promise<FastifyReply> {
  // A host that is not known has no environment.
  const ofEnvironment = request.environment ? friendlyName(request.environment) : 'Tenantry'
  const application = error.application ?? ofEnvironment
  return sendPage(reply, 'error', {
    status: error.status,
    look: { application, initials: initials(application) },
    values: {
      ...error,
      application,
      reference: request.id,
      when: error.at.toISOString().replace('T', ' ').slice(0, 19),
    },
  })
}
