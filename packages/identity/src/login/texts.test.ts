import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { translations } from '../languages.ts'
import { textsOf } from './texts.ts'

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are placeholders of texts
test('a value is filled in once: what it holds is not read as a template, and a name of the other direction is isolated', () => {
  const login = { language: 'en', prompt: 'login', screen: 'login' }
  assert.equal(textsOf(login, { clientName: '${companyName}', companyName: 'Acme' }).title, 'Sign in to ${companyName}')
  assert.equal(textsOf(login, { clientName: 'سوق' }).title, 'Sign in to \u2068سوق\u2069')
  assert.equal(textsOf(login, {}).title, 'Sign in to ')
})
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above

const directory = new URL('texts/', import.meta.url)
const filesOf = (language: string) => readdirSync(new URL(`${language}/`, directory)).toSorted()

/** Every text of a language: `prompt.screen.name` and the text. */
const read = (language: string): Map<string, string> =>
  new Map(
    filesOf(language).flatMap((file) =>
      Object.entries(JSON.parse(readFileSync(new URL(`${language}/${file}`, directory), 'utf8'))).flatMap(
        ([screen, texts]) =>
          Object.entries(texts as Record<string, string>).map(([name, text]) => [
            `${file.replace('.json', '')}.${screen}.${name}`,
            text,
          ]),
      ),
    ),
  )

/** Words that are the same in another language. */
const SAME: Record<string, string[]> = {
  de: ['Name', 'Passkey'],
  fr: ['Application'],
  es: ['Error'],
}

test('every language says all that English says, of the same values, and none of it in English', () => {
  const english = read('en')
  const valuesIn = (text: string) => (text.match(/\$\{\w+\}/g) ?? []).toSorted()
  assert.deepEqual(readdirSync(directory).toSorted(), [...translations].toSorted())
  for (const language of translations.filter((each) => each !== 'en')) {
    const own = read(language)
    assert.deepEqual([...own.keys()], [...english.keys()], language)
    for (const [name, text] of own) {
      assert.deepEqual(valuesIn(text), valuesIn(english.get(name)!), `${language} ${name}`)
      assert.equal(text === '', english.get(name) === '', `${language} ${name}`)
      const isEnglish = text !== '' && text === english.get(name) && !SAME[language]?.includes(text)
      assert.equal(isEnglish, false, `${language} ${name} is English`)
      assert.equal(text, text.trim(), `${language} ${name}`)
    }
  }
})

test('what a page is told to say is there: each name in a template is a text of its screen or of all', () => {
  const english = read('en')
  const names = new Set([...english.keys()].map((key) => key.slice(key.lastIndexOf('.') + 1)))
  const pages = new URL('pages/', import.meta.url)
  for (const page of readdirSync(pages)) {
    for (const [, name] of readFileSync(new URL(page, pages), 'utf8').matchAll(/texts\.([\w-]+)/g)) {
      assert.ok(names.has(name!), `${page} ${name}`)
    }
  }
})

test('each value that our own texts name is filled in', () => {
  for (const [key, text] of read('en')) {
    const [prompt, screen, name] = key.split('.') as [string, string, string]
    for (const [, value] of text.matchAll(/\$\{(\w+)\}/g)) {
      const filled = textsOf({ language: 'en', prompt, screen }, { [value!]: 'THE VALUE' })[name]
      assert.ok(filled!.includes('THE VALUE'), `${key} ${value}`)
    }
  }
})
