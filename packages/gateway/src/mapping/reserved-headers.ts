import { token } from '../field-text.ts'

// AWS's list.
const reserved: ReadonlySet<string> = new Set([
  ...['authorization', 'connection', 'content-encoding', 'content-length', 'content-location', 'forwarded'],
  ...['keep-alive', 'origin', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailers', 'transfer-encoding'],
  ...['upgrade', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'via'],
  // Ours: the rest of what belongs to one hop or is written from the connection.
  ...['expect', 'http2-settings', 'proxy-connection', 'trailer', 'x-forwarded-port'],
])

const prefixes = /^(?:access-control|apigw|x-amzn?)-/

/**
 * Why a mapping can neither read nor write a header, in requests or answers; `null`: it can.
 * @param name in lower case
 */
export function headerFault(name: string): string | null {
  if (!token.test(name)) return `"${name}" is not the name of a header`
  const dashed = name.replaceAll('_', '-')
  const isReserved = reserved.has(dashed) || prefixes.test(dashed)
  return isReserved ? `the header "${name}" is reserved: no mapping reads or writes it` : null
}
