/** The languages that people are spoken to, by the codes that Auth0 has for them. */
import type { IncomingHttpHeaders } from 'node:http'

/** There are texts in these. */
const TRANSLATIONS = ['en', 'de', 'fr', 'es', 'pt-BR', 'ja', 'ar'] as const
export type Translation = (typeof TRANSLATIONS)[number]
export const translations: readonly Translation[] = TRANSLATIONS

/** What an environment may know; Auth0's list. */
export const LOCALES = [
  ...[
    'am',
    'ar',
    'ar-EG',
    'ar-SA',
    'az',
    'bg',
    'bn',
    'bs',
    'ca-ES',
    'cnr',
    'cs',
    'cy',
    'da',
    'de',
    'el',
    'en',
    'en-CA',
  ],
  ...['es', 'es-419', 'es-AR', 'es-MX', 'et', 'eu-ES', 'fa', 'fi', 'fr', 'fr-CA', 'fr-FR', 'gl-ES', 'gu', 'he', 'hi'],
  ...['hr', 'hu', 'hy', 'id', 'is', 'it', 'ja', 'ka', 'kk', 'kn', 'ko', 'lt', 'lv', 'mk', 'ml', 'mn', 'mr', 'ms', 'my'],
  ...['nb', 'nl', 'nn', 'no', 'pa', 'pl', 'pt', 'pt-BR', 'pt-PT', 'ro', 'ru', 'sk', 'sl', 'so', 'sq', 'sr', 'sv', 'sw'],
  ...['ta', 'te', 'th', 'tl', 'tr', 'uk', 'ur', 'vi', 'zgh', 'zh-CN', 'zh-HK', 'zh-MO', 'zh-TW'],
] as const

const baseOf = (tag: string): string => tag.toLowerCase().split('-')[0]!

/**
 * The texts that a locale is shown: its own, or its language's. Portugal's Portuguese is not Brazil's.
 *
 * @example translationOf('es-MX') // 'es'
 */
export const translationOf = (locale: string): Translation | undefined =>
  TRANSLATIONS.find((language) => language === locale) ??
  TRANSLATIONS.find((language) => language === baseOf(locale)) ??
  (locale === 'pt' ? 'pt-BR' : undefined)

const RIGHT_TO_LEFT = new Set(['ar', 'fa', 'he', 'ur'])

export const directionOf = (language: string): 'ltr' | 'rtl' => (RIGHT_TO_LEFT.has(baseOf(language)) ? 'rtl' : 'ltr')

/**
 * The first language that is asked for and enabled: `ui_locales` (OpenID Connect Core §3.1.2.1) before Accept-Language;
 * of another region rather than not at all; else the environment's first.
 *
 * @example chooseLanguage(['en', 'de'], undefined, 'fr-CH, de;q=0.8') // 'de'
 */
export function chooseLanguage(enabled: readonly string[], uiLocales?: string, acceptLanguage?: string): string {
  const wanted = [...(uiLocales ?? '').split(' '), ...byQuality(acceptLanguage ?? '')].filter(Boolean)
  for (const tag of wanted.slice(0, 20)) {
    const base = baseOf(tag)
    const found =
      enabled.find((language) => language.toLowerCase() === tag.toLowerCase()) ??
      enabled.find((language) => language === base) ??
      enabled.find((language) => baseOf(language) === base)
    if (found) return found
  }
  return enabled[0] ?? 'en'
}

/**
 * What a browser asks for first, as it says it, unless its application says another: `x-request-language` is Auth0's.
 */
export function preferredLanguage(headers: IncomingHttpHeaders): string | undefined {
  const asked = headers['x-request-language'] ?? headers['accept-language']
  return byQuality(String(asked ?? '')).find((tag) => /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(tag))
}

const byQuality = (header: string): string[] =>
  header
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';').map((piece) => piece.trim())
      const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      return { tag, quality: quality === undefined ? 1 : Number(quality) || 0 }
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ tag }) => tag)
