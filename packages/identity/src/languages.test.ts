import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseLanguage, directionOf, LOCALES, preferredLanguage, translationOf } from './languages.ts'

test('the language is the first one asked for that is enabled: by the application before the browser, by quality, else the first', () => {
  const enabled = ['en', 'de', 'pt-BR', 'fr']
  for (const [uiLocales, header, expected] of [
    [undefined, undefined, 'en'],
    [undefined, 'de', 'de'],
    [undefined, 'fr;q=0.5, DE-at;q=0.9', 'de'],
    ['fr', 'de', 'fr'],
    ['ja fr', 'de', 'fr'],
    [undefined, 'pt-br', 'pt-BR'],
    [undefined, 'pt', 'pt-BR'],
    [undefined, 'pt-PT, fr', 'pt-BR'],
    ['de-CH', undefined, 'de'],
    [undefined, 'de;q=0', 'en'],
    ['../../etc', ';;,,=q', 'en'],
  ] as const) {
    assert.equal(chooseLanguage(enabled, uiLocales, header), expected, `${uiLocales} ${header}`)
  }
})

test('a locale is shown the texts of its language, and none those of another', () => {
  const shown = Object.fromEntries(LOCALES.map((locale) => [locale, translationOf(locale)]))
  for (const [locale, texts] of [
    ['es-MX', 'es'],
    ['fr-CA', 'fr'],
    ['ar-EG', 'ar'],
    ['pt', 'pt-BR'],
    ['pt-BR', 'pt-BR'],
    ['pt-PT', undefined],
    ['nl', undefined],
  ] as const) {
    assert.equal(shown[locale], texts, locale)
  }
  assert.equal(directionOf('ar-EG'), 'rtl')
  assert.equal(directionOf('pt-BR'), 'ltr')
})

test('what a browser asks for first is a language tag or nothing; its application may say another', () => {
  for (const [accepted, said, expected] of [
    [undefined, undefined, undefined],
    ['en;q=0.5, fr-CH', undefined, 'fr-CH'],
    ['*, de;q=0.1', undefined, 'de'],
    ['<b>, ../../etc', undefined, undefined],
    ['en', 'nl-BE', 'nl-BE'],
  ] as const) {
    assert.equal(preferredLanguage({ 'accept-language': accepted, 'x-request-language': said }), expected)
  }
})
