/**
 * The words of the pages. They lie in `texts/<language>/<prompt>.json`, by screen, under the names that Auth0's prompts
 * have, so that custom texts made for those fit. `${clientName}` and other values of the page are filled in here; all of
 * it is escaped where it is written into a page.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { directionOf, translationOf } from '../languages.ts'

export type Texts = Readonly<Record<string, string>>
type Prompt = Readonly<Record<string, Texts>>

const directory = fileURLToPath(new URL('texts/', import.meta.url))
const read = new Map<string, Prompt>()

/** A prompt's texts in English, or undefined where no page has it. */
export const defaultTexts = (prompt: string): Prompt | undefined =>
  existsSync(`${directory}en/${prompt}.json`) ? promptTexts('en', prompt) : undefined

/** A prompt's own texts in a language; English stands in for what is not translated. */
function promptTexts(language: string, prompt: string): Prompt {
  const translation = translationOf(language) ?? 'en'
  const key = `${translation}/${prompt}`
  const known = read.get(key)
  if (known) return known
  const file = `${directory}${key}.json`
  const own = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Prompt
  const english = translation === 'en' ? own : promptTexts('en', prompt)
  const texts = Object.fromEntries(
    Object.keys(english).map((screen) => [screen, { ...english[screen], ...own[screen] }]),
  )
  read.set(key, texts)
  return texts
}

/**
 * What a text may name of the values of its page. Secrets, codes and the tokens of forms are none of these: what stands in a
 * text is in the hands of the environment's own template, which loads pictures from elsewhere (CWE-201).
 */
const NAMES: ReadonlySet<string> = new Set([
  ...['clientName', 'companyName', 'organizationName', 'tenantName', 'support_email', 'api', 'inviterName', 'roles'],
  ...['expires', 'email', 'recipient', 'sent_to', 'who', 'typed', 'search'],
  ...['minimum', 'maximum', 'remembered', 'shortest', 'longest'],
])

/** A screen's texts with the page's values filled in, and those that all screens share; an environment's own win. */
export function textsOf(
  { language, prompt, screen }: { language: string; prompt: string; screen: string },
  values: Readonly<Record<string, unknown>>,
  own: Texts = {},
): Texts {
  const direction = directionOf(language)
  const fill = (text: string) =>
    text.replace(/\$\{(\w+)\}/g, (_, name: string) =>
      isolated(String((NAMES.has(name) && values[name]) || ''), direction),
    )
  const all = { ...promptTexts(language, 'common').common, ...promptTexts(language, prompt)[screen], ...own }
  return Object.fromEntries(Object.entries(all).map(([name, text]) => [name, text.includes('$') ? fill(text) : text]))
}

const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A name written in the other direction would turn the sentence around it (Unicode TR9 §2.7). */
function isolated(value: string, direction: 'ltr' | 'rtl'): string {
  const plain = value.replace(BIDI_CONTROLS, '')
  return direction === 'rtl' || /[\u0590-\u08ff\ufb1d-\ufefc]/.test(plain) ? `\u2068${plain}\u2069` : plain
}
