/**
 * The SDK's worker, which holds refresh tokens, as a file of the app: Angular's build takes no files from outside its
 * folder, and the page's policy allows no worker that is made of a text.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const sdk = dirname(fileURLToPath(import.meta.resolve('@auth0/auth0-spa-js/package.json')))
const source = readFileSync(join(sdk, 'dist/auth0-spa-js.worker.production.js'), 'utf8')
// The map it names is not published.
writeFileSync(
  join(import.meta.dirname, 'dist/browser/token-worker.js'),
  source.replace(/\n\/\/# sourceMappingURL=.*/, ''),
)
