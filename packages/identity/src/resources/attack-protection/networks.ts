/** Addresses and networks: what counts as one place, and lists of places that are trusted. */
import { BlockList, isIP, isIPv6 } from 'node:net'

/** An IPv4 address that travels as IPv6 is the IPv4 address. */
export const plainAddress = (ip: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1] ?? ip

/** One household, one bucket: an IPv6 customer owns a /64 and would otherwise rotate through it (CVE-2026-45364). */
export function network(ip: string): string {
  const plain = plainAddress(ip)
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('%')[0]!.toLowerCase().split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail === undefined ? [] : tail.split(':').filter(Boolean)
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

interface Range {
  address: string
  family: 'ipv4' | 'ipv6'
  prefix: number
}

/** `192.0.2.1`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`. @returns undefined for anything else */
export function parseRange(text: string): Range | undefined {
  const [address = '', prefix, ...more] = text.split('/')
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 0 || more.length > 0) return undefined
  const longest = version === 4 ? 32 : 128
  if (prefix !== undefined && !/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined
  const bits = prefix === undefined ? longest : Number(prefix)
  return bits > longest ? undefined : { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix: bits }
}

/** @returns whether an address is in one of the ranges */
export function allowlist(entries: readonly string[]): (ip: string) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const range = parseRange(entry)
    if (range) list.addSubnet(range.address, range.prefix, range.family)
  }
  return (ip) => {
    const plain = plainAddress(ip).split('%')[0]!
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}
