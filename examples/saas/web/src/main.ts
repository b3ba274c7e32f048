/**
 * The web app of Stockroom. It is built once and learns at start, from its own server, which issuer and API it works
 * with, so that the same files run on a laptop and in production.
 */
import { bootstrapApplication } from '@angular/platform-browser'
import { App } from './app/app.ts'
import { loadConfig } from './app/config.ts'
import { providers } from './app/providers.ts'
import { tenantHost } from './app/sign-in/tenant-host.ts'

// The issuer compares callback addresses byte for byte and knows no wildcard, so only the root origin can sign in.
// A tenant's own host (acme.localhost) is therefore an entrance: it names the tenant and hands over.
const entrance = tenantHost(location)
if (entrance) location.replace(entrance)
else start().catch(explainFailedStart)

async function start(): Promise<void> {
  const config = await loadConfig()
  await bootstrapApplication(App, { providers: providers(config, location.origin) })
}

/** Nothing of Angular runs yet, so this is plain DOM. */
function explainFailedStart(error: unknown): void {
  console.error(error)
  const page = document.createElement('main')
  page.className = 'narrow'
  const card = document.createElement('div')
  card.className = 'card'
  const title = document.createElement('h1')
  title.textContent = 'Stockroom couldn’t start'
  const text = document.createElement('p')
  text.className = 'lead'
  text.textContent = 'Its settings didn’t load. Check your connection, then try again.'
  const again = document.createElement('button')
  again.className = 'btn primary wide'
  again.textContent = 'Try again'
  again.addEventListener('click', () => location.reload())
  card.append(title, text, again)
  page.append(card)
  document.querySelector('app-root')?.replaceChildren(page)
}
