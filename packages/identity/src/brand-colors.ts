/**
 * What becomes of a customer's colour. The fill is never changed; everything that must be read or seen on it or beside it
 * is computed, for both themes, so that no colour anybody picks can make a page or a mail unreadable (WCAG 2.2, 1.4.3
 * and 1.4.11).
 */

export interface BrandTokens {
  /** The customer's colour as it is. */
  brand: string
  /** Text on the fill, at least 4.5. */
  brandOn: string
  brandHover: string
  /** Bounds the fill: at least 3 against every ground, so that a white brand still has a shape. */
  brandEdge: string
  /** Links: at least 4.5 against every ground. */
  brandText: string
  focus: string
}

interface Theme {
  /** Everything that text and controls may stand on. */
  grounds: readonly string[]
  /** What the colour is mixed toward until it can be seen. */
  toward: string
}

const THEMES: Record<'light' | 'dark', Theme> = {
  light: { grounds: ['#f5f7f7', '#ffffff', '#eef2f2', '#f0f4f4'], toward: '#000000' },
  dark: { grounds: ['#0a1012', '#121a1c', '#0d1416', '#1a2426'], toward: '#ffffff' },
}

/** Used where neither environment nor organization set a colour. */
export const DEFAULT_BRAND = '#0a6570'

/** @param primary `#rrggbb`, validated by the schema that let it in */
export function brandTokens(primary: string): Record<'light' | 'dark', BrandTokens> {
  const brand = primary.toLowerCase()
  const brandOn = textOn(brand)
  // Away from the text: hovering can only raise the contrast.
  const brandHover = mix(brand, brandOn === '#ffffff' ? '#000000' : '#ffffff', 0.14)
  const tokens = ({ grounds, toward }: Theme): BrandTokens => {
    const brandText = reach(brand, toward, grounds, 4.5)
    return { brand, brandOn, brandHover, brandEdge: reach(brand, toward, grounds, 3), brandText, focus: brandText }
  }
  return { light: tokens(THEMES.light), dark: tokens(THEMES.dark) }
}

/** What can be read on a colour that somebody chose. */
const textOn = (ground: string): string =>
  ['#ffffff', '#101c1e', '#000000'].find((text) => contrast(text, ground) >= 4.5)!

/** The colour, mixed toward black or white in steps of 2 % until it reaches `limit` on every ground. */
function reach(color: string, toward: string, grounds: readonly string[], limit: number): string {
  for (let share = 0; share < 1; share += 0.02) {
    const mixed = mix(color, toward, share)
    if (grounds.every((ground) => contrast(mixed, ground) >= limit)) return mixed
  }
  return toward
}

/** WCAG's contrast ratio, 1 to 21. */
export function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function luminance(color: string): number {
  const [r, g, b] = channels(color).map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function mix(color: string, toward: string, share: number): string {
  const to = channels(toward)
  const mixed = channels(color).map((value, index) => Math.round(value + (to[index]! - value) * share))
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`
}

const channels = (color: string): number[] => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16))
