/**
 * One entry per answered request, in its stage's format. What AWS does not log is not logged here either: requests that
 * reach no stage, bodies that are too large, and most of a
 * flood that is throttled. No variable holds a header, a query string or a token: the log is read
 * by more people than the requests are.
 */
import type { Logger } from 'pino'
import { answers } from '../answers.ts'
import { commonLogTime, sourceIp } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { createBucket } from '../limits/bucket.ts'

/** Where entries go. */
export interface AccessLog {
  write(exchange: Exchange): void
  close(): Promise<void>
}

const refusedRate = { perSecond: 100, burst: 100 }

// A flood that throttling keeps from the integrations would otherwise arrive on the disk.
function createFilter(): (exchange: Exchange) => boolean {
  const refused = createBucket()
  return ({ deployment, refusal, receivedAt }) =>
    deployment !== null &&
    refusal !== answers.bodyTooLarge &&
    (refusal !== answers.throttled || refused.take(refusedRate, receivedAt) === 0)
}

/** Into the gateway's own log, beside everything else it says. */
export function logToLogger(logger: Logger): AccessLog {
  const isLogged = createFilter()
  return {
    close: async () => undefined,
    write: (exchange) => {
      if (!isLogged(exchange)) return
      const { deployment, id, receivedAt, route, status, bytes, authorizerError } = exchange
      if (deployment!.api.stage.accessLogFormat !== null) {
        logger.info({ access: deployment!.accessLog.line(exchange) }, 'access')
        return
      }
      const [ip, at] = [sourceIp(exchange) || '-', commonLogTime(receivedAt)]
      logger.info({ id, ip, at, route: route?.key ?? '-', status, bytes, auth: authorizerError || '-' }, 'access')
    },
  }
}

/** Line by line into something that takes text. */
export function logToLines(lines: { write(line: string): void; close(): Promise<void> }): AccessLog {
  const isLogged = createFilter()
  return {
    close: () => lines.close(),
    write: (exchange) => {
      if (isLogged(exchange)) lines.write(`${exchange.deployment!.accessLog.line(exchange)}\n`)
    },
  }
}
