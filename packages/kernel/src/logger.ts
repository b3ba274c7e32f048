import pino, { type DestinationStream, type Logger } from 'pino'

export type { Logger }

/**
 * Structured logs. Nothing here logs requests' contents in the first place; the redaction is the second fence, for
 * objects that somebody passes to the logger by mistake.
 */
export function createLogger(options: { level?: string; destination?: DestinationStream } = {}): Logger {
  const names = [
    'password',
    'client_secret',
    'access_token',
    'refresh_token',
    'id_token',
    'code_verifier',
    'ticket',
    'secret',
    'authorization',
    'cookie',
    'private_key',
  ]
  // Errors have a code, too, and theirs is wanted; an authorization code arrives in a query or a body.
  const codes = ['query.code', 'body.code', '*.query.code', '*.body.code']
  const settings = {
    level: options.level ?? 'info',
    base: null,
    redact: { paths: [...names.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), ...codes], censor: '[redacted]' },
  }
  return options.destination ? pino(settings, options.destination) : pino(settings)
}
