/**
 * Answers of the authorization endpoint, in the mode that was asked for (OAuth 2.0 Multiple Response Types §2.1): in the
 * query or the fragment of the redirect URI, as a form that is posted there, or as a message to the page that embeds it.
 */

import { randomBytes } from 'node:crypto'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { FastifyReply } from 'fastify'
import { environmentLook } from '../../login/look.ts'
import { sendPage } from '../../login/pages.ts'
import { encoded, queried } from '../answer-address.ts'
import { toOAuthError } from '../problems.ts'
import type { ResponseChannel } from './checks.ts'

/** A code, tokens, or both: what a sign-in gives. */
export interface Granted {
  code?: string
  access_token?: string
  id_token?: string
  token_type?: string
  expires_in?: string
  scope?: string
}

type Answer = Granted | { problem: Problem }

/** RFC 9207: every answer says who gives it, errors too, so that answers of two issuers cannot be mixed up. */
export function respond(
  reply: FastifyReply,
  channel: ResponseChannel,
  issuer: string,
  answer: Answer,
): FastifyReply | Promise<FastifyReply> {
  const members = membersOf(channel, issuer, answer)
  if (channel.response_mode === 'form_post') return sendForm(reply, channel.redirect_uri, members)
  reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
  return channel.response_mode === 'web_message'
    ? sendMessage(reply, channel.web_origin!, members)
    : // 303 after a POST: a 307 would post the password on to the client (RFC 9700 §4.12).
      reply.redirect(addressOf(channel, members), reply.request.method === 'POST' ? 303 : 302)
}

/** Where a link on a page leads that tells the client of a refusal; nowhere for a client that expects a form. */
export const refusalAddress = (channel: ResponseChannel, issuer: string, problem: Problem): string | undefined =>
  channel.response_mode === 'form_post' ? undefined : addressOf(channel, membersOf(channel, issuer, { problem }))

function addressOf(channel: ResponseChannel, members: Record<string, string>): string {
  if (channel.response_mode !== 'fragment') return queried(channel.redirect_uri, members)
  const target = new URL(channel.redirect_uri)
  target.hash = encoded(members)
  return target.href
}

function membersOf(channel: ResponseChannel, issuer: string, answer: Answer): Record<string, string> {
  const members: Record<string, string> = 'problem' in answer ? { ...toOAuthError(answer.problem) } : { ...answer }
  if (channel.state !== undefined) members.state = channel.state
  members.iss = issuer
  return members
}

/** OAuth 2.0 Form Post Response Mode. Our script sends the form; without it a person presses its button. */
const sendForm = (reply: FastifyReply, redirectUri: string, members: Record<string, string>): Promise<FastifyReply> =>
  sendPage(reply, 'form-post', {
    look: environmentLook(reply.request.environment),
    redirectUri,
    values: { target: redirectUri, fields: Object.entries(members).map(([name, value]) => ({ name, value })) },
  })

/**
 * The page posts to one origin, never to `*`, and only that origin may frame it (N67). What goes into the script is JSON
 * whose `<` are escaped, so that no value can end the element.
 */
function sendMessage(reply: FastifyReply, origin: string, members: Record<string, string>): FastifyReply {
  const nonce = randomBytes(16).toString('base64')
  const json = (value: unknown) =>
    JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', `default-src 'none'; script-src 'nonce-${nonce}'; frame-ancestors ${origin}`)
    .header('x-content-type-options', 'nosniff')
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Signing in</title></head><body><script nonce="${nonce}">` +
        `(window.opener||window.parent).postMessage({type:"authorization_response",response:${json(members)}},${json(origin)})` +
        `</script></body></html>`,
    )
}
