import { bootstrapApplication } from '@angular/platform-browser'
import { App } from './app/app'
import { type Config, readConfig } from './app/config'
import { providers } from './app/providers'

// The configuration is fetched before anything starts: the same build runs against any issuer.
readConfig()
  .then((config: Config) => bootstrapApplication(App, { providers: providers(config) }))
  .catch((error: unknown) => {
    console.error(error)
    const message = document.createElement('p')
    message.className = 'fatal'
    message.setAttribute('role', 'alert')
    message.textContent =
      'Stockroom could not start, because its server did not answer. Load this page again in a moment.'
    document.body.replaceChildren(message)
  })
