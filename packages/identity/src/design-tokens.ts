import { readFileSync } from 'node:fs'

/** The visual language as a style sheet: what every page of ours begins with. */
export const designTokens = readFileSync(new URL('design-tokens.css', import.meta.url), 'utf8')
