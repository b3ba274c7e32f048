import type { Logger } from 'pino'
import type { Exchange } from './exchange.ts'

/**
 * One line per answered request, in the default JSON format. It never holds a header, a token or a query string: the
 * log is read by more people than the requests are.
 */
export function createAccessLog(logger: Logger, now: () => Date): (exchange: Exchange) => void {
  let second = -1
  let time = ''
  return ({ id, request, routeKey, status, bytes, authorizerError }) => {
    const date = now()
    const seconds = Math.floor(date.getTime() / 1000)
    if (seconds !== second) {
      second = seconds
      time = commonLogTime(date)
    }
    logger.info(
      {
        id,
        ip: request.socket.remoteAddress ?? '-',
        at: time,
        route: routeKey || '-',
        status,
        bytes,
        auth: authorizerError || '-',
      },
      'access',
    )
  }
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (value: number): string => String(value).padStart(2, '0')

/** `$context.requestTime`: the common log format, in UTC. */
export const commonLogTime = (date: Date): string =>
  `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:` +
  `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
