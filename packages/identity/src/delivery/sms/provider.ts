/**
 * Who sends an environment's text messages: Twilio, or a webhook of its own. Both are one HTTP request, made through the
 * client for addresses that customers configure.
 *
 * A webhook gets what Auth0's SMS gateways get, `{recipient, body, sender}`, and with a secret a signature like that of log
 * streams: tenantry-signature: t=1763985600,v1=<hex of HMAC-SHA256(secret, "1763985600." + body)>
 */
import { createHmac } from 'node:crypto'
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import type { OutboundRequest } from '@tenantry/kernel/http/egress.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'

export interface TwilioConfiguration {
  sid: string
  delivery_methods: string[]
  default_from?: string | undefined
  mssid?: string | undefined
}

export interface WebhookConfiguration {
  webhook_url: string
  delivery_methods: string[]
  default_from?: string | undefined
}

/** As it is kept: what is readable, and what is sealed. */
export interface PhoneProvider {
  name: 'twilio' | 'custom'
  configuration: TwilioConfiguration | WebhookConfiguration
  credentials: Uint8Array | null
}

export interface TextMessage {
  id: string
  to: string
  text: string
}

/** The account or address that credentials are entrusted to. */
export const targetOf = ({ configuration }: Target): string =>
  'sid' in configuration ? `twilio/${configuration.sid}` : configuration.webhook_url

type Target = Pick<PhoneProvider, 'configuration'>

const context = (environmentId: string, provider: Target) => `${environmentId}/phone-provider/${targetOf(provider)}`

/** A token or secret, readable for this account or address only. */
export const sealCredentials = (secrets: Secrets, environmentId: string, provider: Target, plain: string): Buffer =>
  secrets.seal(context(environmentId, provider), plain)

const SECONDS = 15

/** The request that sends this message. A second attempt has the same body. */
export function requestOf(
  secrets: Secrets,
  environmentId: string,
  provider: PhoneProvider,
  message: TextMessage,
  now: Date,
): OutboundRequest & { url: string } {
  const secret = provider.credentials ? secrets.open(context(environmentId, provider), provider.credentials) : undefined
  const { configuration } = provider
  return 'sid' in configuration
    ? toTwilio(configuration, secret ?? '', message)
    : toWebhook(configuration, secret, message, now)
}

function toTwilio({ sid, default_from, mssid }: TwilioConfiguration, token: string, { to, text }: TextMessage) {
  const form = { To: to, Body: text, ...(mssid ? { MessagingServiceSid: mssid } : { From: default_from ?? '' }) }
  return {
    url: `https://api.twilio.com/2010-04-01/Accounts/${encodeURIComponent(sid)}/Messages.json`,
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${sid}:${token}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: Buffer.from(new URLSearchParams(form).toString()),
    timeoutMs: SECONDS * 1000,
  }
}

function toWebhook(
  { webhook_url, default_from }: WebhookConfiguration,
  secret: string | undefined,
  { id, to, text }: TextMessage,
  now: Date,
) {
  const body = Buffer.from(
    JSON.stringify({ recipient: to, body: text, ...(default_from ? { sender: default_from } : {}) }),
  )
  const t = epochSeconds(now)
  const signature = secret && createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex')
  return {
    url: webhook_url,
    method: 'POST',
    headers: {
      'user-agent': 'Tenantry',
      'content-type': 'application/json',
      // The same at each attempt, so that the receiver can recognise a second copy.
      'idempotency-key': id,
      ...(signature ? { 'tenantry-signature': `t=${t},v1=${signature}` } : {}),
    },
    body,
    timeoutMs: SECONDS * 1000,
  }
}
