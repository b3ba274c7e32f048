import { type BrandTokens, brandTokens } from '../brand-colors.ts'

/**
 * The tokens as CSS, for both themes. Holds nothing but computed colours, so it may stand in a page as it is.
 *
 * @param primary `#rrggbb`; without one, and for anything else, there is nothing to override
 */
export function brandStyle(primary: string | undefined): string {
  if (!primary || !/^#[0-9a-f]{6}$/i.test(primary)) return ''
  const { light, dark } = brandTokens(primary)
  const values = (tokens: BrandTokens) =>
    Object.entries(tokens)
      .map(([name, color]) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}:${color}`)
      .join(';')
  return (
    `:root{${values(light)}}` +
    `@media (prefers-color-scheme:dark){:root:not([data-theme="light"]){${values(dark)}}}` +
    `:root[data-theme="dark"]{${values(dark)}}`
  )
}
