/**
 * One delivery of a log stream: entries in the format the stream asks for, signed so that the receiver knows who sent
 * them and when.
 *
 *   tenantry-signature: t=1763985600,v1=<hex of HMAC-SHA256(secret, "1763985600." + body)>
 */
import { createHmac } from 'node:crypto'
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { type StoredLog, shownLog } from '../../logs/entry.ts'

/** What may be read of a sink. */
export interface Sink {
  httpEndpoint: string
  /** JSONLINES, JSONARRAY, JSONOBJECT */
  httpContentFormat: string
  httpContentType: string
}

/** What rests sealed. */
export interface SinkSecrets {
  signingSecret: string
  authorization?: string | undefined
  customHeaders?: { header: string; value: string }[] | undefined
}

const context = (environmentId: string, id: string) => `${environmentId}/log-stream/${id}`

export const sealSink = (secrets: Secrets, environmentId: string, id: string, plain: SinkSecrets): Buffer =>
  secrets.seal(context(environmentId, id), JSON.stringify(plain))

export const openSink = (secrets: Secrets, environmentId: string, id: string, sealed: Uint8Array): SinkSecrets =>
  JSON.parse(secrets.open(context(environmentId, id), sealed)) as SinkSecrets

/** The request that carries these entries. A second attempt has the same body, and a new time. */
export function deliveryOf(sink: Sink, secret: SinkSecrets, entries: StoredLog[], now: Date) {
  const events = entries.map((entry) => {
    const data = shownLog(entry)
    return { log_id: data.log_id, data }
  })
  const text =
    sink.httpContentFormat === 'JSONLINES'
      ? events.map((event) => `${JSON.stringify(event)}\n`).join('')
      : JSON.stringify(sink.httpContentFormat === 'JSONOBJECT' ? { logs: events } : events)
  const body = Buffer.from(text)
  const t = epochSeconds(now)
  const v1 = createHmac('sha256', secret.signingSecret).update(`${t}.`).update(body).digest('hex')
  const own = Object.fromEntries((secret.customHeaders ?? []).map(({ header, value }) => [header.toLowerCase(), value]))
  return {
    body,
    headers: {
      'user-agent': 'Tenantry',
      ...own,
      'content-type': sink.httpContentType,
      'tenantry-signature': `t=${t},v1=${v1}`,
      ...(secret.authorization ? { authorization: secret.authorization } : {}),
    },
  }
}
