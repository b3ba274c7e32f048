/** README and guides: what they tell people to type is run, and prints what they show. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { commandsOf, type Desk, openDesk, readDocument, root } from './documents.ts'
import { type EmptyDatabase, openEmptyDatabase } from './empty-database.ts'
import { type Installation, startInstallation } from './installation.ts'

let installation: Installation
let desk: Desk
let database: EmptyDatabase
let browser: Browser
before(async () => {
  ;[installation, browser, database] = await Promise.all([
    startInstallation(),
    launchChromium(),
    openEmptyDatabase(['shop_app']),
  ])
  desk = await openDesk(installation, { DATABASE_URL: database.url })
})
after(async () => {
  desk?.clear()
  await browser?.close()
  await installation?.stop()
  await database?.close()
})

function check(path: string, before: readonly string[] = []): string[] {
  const commands = commandsOf(readDocument(path))
  const printed = desk.run([...before, ...commands.map(({ command }) => command)]).slice(before.length)
  const trimmed = printed.map((text) => text.trimEnd())
  assert.deepEqual(
    trimmed,
    commands.map(({ shown }, index) => shown?.trimEnd() ?? trimmed[index]),
  )
  return printed
}

test('the README’s commands print what it shows: Amazon’s refusal, a token, provisioning made for Auth0, imported users', () => {
  const [, organizations] = check('README.md')
  assert.deepEqual(JSON.parse(organizations!), [])
})

const prelude = () => commandsOf(readDocument('docs/guides/README.md')).map(({ command }) => command)
const guides = globSync('docs/guides/*.md', { cwd: root }).sort()

for (const path of guides) {
  test(`${path}: each command prints what the guide shows`, () => {
    check(path, path.endsWith('README.md') ? [] : prelude())
  })
}

test('every guide is in the list of guides, and none but those', () => {
  const listed = [...readDocument('docs/guides/README.md').matchAll(/\]\((\w[\w-]*\.md)\)/g)].map((match) => match[1]!)
  assert.deepEqual(
    [...new Set(listed)].sort(),
    guides.map((path) => path.split('/').at(-1)).filter((name) => name !== 'README.md'),
  )
})

test('docs/guides/spa.md: the application of the guide signs in its person and gets its token', async () => {
  const [, source] = /<!-- app -->\n```js\n([\s\S]*?)```/.exec(readDocument('docs/guides/spa.md'))!
  const page = createServer((_request, response) =>
    response
      .setHeader('content-type', 'text/html')
      .end(`<!doctype html><body><script type="module">${script}</script>`),
  )
  page.listen(0, '127.0.0.1')
  await once(page, 'listening')
  const app = `http://localhost:${(page.address() as AddressInfo).port}`
  const id = desk
    .run([...prelude(), clientOf(app)])
    .at(-1)!
    .trim()
  const { outputFiles } = await build({
    stdin: {
      contents: source!
        .replace('CLIENT_ID', JSON.stringify(id))
        .replace('http://localhost:4000', installation.quickstart.httpIssuer.replace(/\/$/, '')),
      resolveDir: root,
    },
    bundle: true,
    format: 'esm',
    write: false,
  })
  const script = outputFiles[0]!.text
  const context = await browser.newContext()
  try {
    const tab = await context.newPage()
    await tab.goto(app)
    await tab.fill('input#username', 'ona@parcels.example')
    await tab.fill('input#password', 'two herons at dawn')
    await tab.click('button[data-action-button-primary=true]')
    await tab.waitForURL(`${app}/`)
    await tab.waitForSelector('body:has-text(" may ")')
    assert.equal(
      (await tab.textContent('body'))!.trim(),
      'ona@parcels.example may openid profile email offline_access read:parcels',
    )
  } finally {
    await context.close()
    page.close()
  }
})

/** The guide’s client, moved to where this test's application is. */
const clientOf = (app: string): string =>
  `client=$(api GET '/clients?per_page=100' | field ".find(({ name }) => name === 'Parcels').client_id")
api PATCH /clients/$client -d '{ "callbacks": ["${app}"], "web_origins": ["${app}"] }' > /dev/null
echo $client`
