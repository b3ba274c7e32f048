/** Answers of the authorization endpoint: by redirect, or by a message to the page that embeds it. */

import { randomBytes } from 'node:crypto'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { FastifyReply } from 'fastify'
import { toOAuthError } from '../problems.ts'
import type { ResponseChannel } from './checks.ts'

type Answer = { code: string } | { problem: Problem }

/** RFC 9207: every answer says who gives it, errors too, so that answers of two issuers cannot be mixed up. */
export function respond(reply: FastifyReply, channel: ResponseChannel, issuer: string, answer: Answer): FastifyReply {
  reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
  return channel.response_mode === 'web_message'
    ? sendMessage(reply, channel.web_origin!, membersOf(channel, issuer, answer))
    : // 303 after a POST: a 307 would post the password on to the client (RFC 9700 §4.12).
      reply.redirect(answerAddress(channel, issuer, answer), reply.request.method === 'POST' ? 303 : 302)
}

/** The redirect URI with the answer in its query. */
export function answerAddress(channel: ResponseChannel, issuer: string, answer: Answer): string {
  const target = new URL(channel.redirect_uri)
  for (const [name, value] of Object.entries(membersOf(channel, issuer, answer)))
    target.searchParams.append(name, value)
  return target.href
}

function membersOf(channel: ResponseChannel, issuer: string, answer: Answer): Record<string, string> {
  const members: Record<string, string> = 'code' in answer ? { code: answer.code } : { ...toOAuthError(answer.problem) }
  if (channel.state !== undefined) members.state = channel.state
  members.iss = issuer
  return members
}

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
