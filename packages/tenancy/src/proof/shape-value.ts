/** Values that fit a shape. Texts carry markers where they may, so that they are recognised wherever they turn up. */
import type { Shape } from './api-description.ts'
import { textFor } from './pattern.ts'
import type { Random } from './random.ts'

/** `everything`: all members, markers in all texts. `examples`: examples where there are some. `required`: only those. */
export const fillings = ['everything', 'examples', 'required'] as const
export type Filling = (typeof fillings)[number]

export interface Filler {
  filling: Filling
  random: Random
  now: Date
  /** A new marker. A text that no longer shows it, and is as singular, goes to `keep`. */
  mark(): string
  keep(text: string): void
  /** The id of something that the tenant has, for members such as `projectId` or `project.id`. */
  reference(path: readonly string[], shape: Shape): unknown
}

export type Path = readonly string[]

/** @returns undefined for members that are left out */
export function valueFor(shape: Shape, filler: Filler, path: Path = []): unknown {
  const reference = filler.reference(path, shape)
  if (reference !== undefined) return reference
  if (shape.values) return shape.values[0]
  if (
    filler.filling === 'examples' &&
    shape.example !== undefined &&
    shape.type !== 'object' &&
    shape.type !== 'array'
  ) {
    return shape.example
  }
  switch (shape.type) {
    case 'object':
      return objectFor(shape, filler, path)
    case 'array': {
      const length = Math.max(1, shape.minItems ?? 0)
      return Array.from({ length }, () => valueFor(shape.items ?? textShape, filler, [...path, '[]']))
    }
    case 'string':
      return stringFor(shape, filler)
    case 'integer':
    case 'number':
      return numberFor(shape, filler)
    case 'boolean':
      return false
    case 'null':
      return null
    case 'any':
      return Object.keys(shape.properties).length > 0 ? objectFor(shape, filler, path) : (shape.example ?? {})
  }
}

const textShape: Shape = { type: 'string', properties: {}, required: [], readOnly: false }

function objectFor(shape: Shape, filler: Filler, path: Path): unknown {
  const members = Object.entries(shape.properties).filter(
    ([name, member]) => !member.readOnly && (filler.filling !== 'required' || shape.required.includes(name)),
  )
  if (members.length === 0 && shape.example !== undefined) return shape.example
  return Object.fromEntries(
    members
      .map(([name, member]) => [name, valueFor(member, filler, [...path, name])] as const)
      .filter(([, value]) => value !== undefined),
  )
}

function numberFor(shape: Shape, filler: Filler): number {
  const least = shape.minimum ?? 1
  const most = Math.min(shape.maximum ?? least + 90, least + 90)
  return Math.ceil(least) + (most > least ? filler.random.below(Math.floor(most - least) + 1) : 0)
}

function stringFor(shape: Shape, filler: Filler): string {
  const marker = filler.mark()
  const text = formatted(shape, marker, filler) ?? fitted(shape, marker, filler)
  const singular =
    shape.format === 'uuid' || shape.format === 'byte' || (shape.pattern !== undefined && text !== shape.example)
  if (singular && text.length >= 8 && !text.toLowerCase().includes(marker)) filler.keep(text)
  return text
}

function formatted({ format }: Shape, marker: string, { random, now }: Filler): string | undefined {
  // Ahead of time, because what is due in the past is often refused.
  const later = new Date(now.getTime() + 30 * 86_400_000).toISOString()
  const forms: Record<string, () => string> = {
    email: () => `${marker}@example.com`,
    uuid: () => random.uuid(),
    'date-time': () => later,
    date: () => later.slice(0, 10),
    time: () => '09:30:00Z',
    duration: () => 'P1D',
    uri: () => `https://example.com/${marker}`,
    url: () => `https://example.com/${marker}`,
    hostname: () => `${marker}.example.com`,
    ipv4: () => '192.0.2.10',
    ipv6: () => '2001:db8::10',
    byte: () => Buffer.from(marker).toString('base64'),
    password: () => `Aa1!${marker}`,
  }
  return format === undefined ? undefined : forms[format]?.()
}

function fitted(shape: Shape, marker: string, { random }: Filler): string {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = shape
  // Beginnings are alike in all markers of a tenant: what is cut keeps the end.
  const sized = (text: string) => (text.length > maxLength ? text.slice(-maxLength) : text.padEnd(minLength, 'x'))
  const candidates = [marker, marker.toUpperCase(), marker[0]!.toUpperCase() + marker.slice(1)].map(sized)
  if (pattern === undefined) return candidates[0]!
  const accepts = (text: string): boolean => {
    try {
      return new RegExp(pattern, 'u').test(text) && text.length >= minLength && text.length <= maxLength
    } catch {
      return false
    }
  }
  const fits = candidates.find(accepts)
  if (fits !== undefined) return fits
  for (let attempt = 0; attempt < 20; attempt++) {
    const made = textFor(pattern, random)
    if (made !== undefined && accepts(made)) return made
  }
  return typeof shape.example === 'string' ? shape.example : candidates[0]!
}
