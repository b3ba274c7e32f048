/**
 * X-Forwarded-For as proxies write it, in one spelling. Some add the port of the connection (`203.0.113.9:51234`,
 * `[2001:db8::1]:443`): taken as it is, each connection would be another place, and no limit by address would ever be met
 * (CWE-307). What is left of something that is no address was passed on by whoever wrote that, and says nothing.
 */
import { isIP } from 'node:net'

/** @returns the addresses nearest to this server, or undefined where there is none */
export function forwardedAddresses(header: string | undefined): string | undefined {
  const addresses = (header ?? '').split(',').map(withoutPort)
  const readable = addresses.slice(addresses.findLastIndex((address) => isIP(address) === 0) + 1)
  return readable.length === 0 ? undefined : readable.join(', ')
}

const withoutPort = (entry: string): string => {
  const text = entry.trim().replace(/^"(.*)"$/, '$1')
  return /^\[([^\]]+)\](:\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
}
