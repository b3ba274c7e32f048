/** The Chromium that npm brings, or the system's where that one cannot run. */

import { existsSync } from 'node:fs'
import sparticuz from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'

const FALLBACKS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export async function launchChromium(): Promise<Browser> {
  // Not the flags that the package proposes: they switch web security off and put everything into one process.
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  // A machine with much else to do takes longer than the driver's half a minute.
  const timeout = 180_000
  try {
    return await chromium.launch({
      timeout,
      executablePath: await sparticuz.executablePath(),
      args,
      headless: true,
    })
  } catch (cause) {
    const installed = FALLBACKS.find((path) => existsSync(path))
    if (!installed)
      throw new Error('No Chromium runs here. Install one, for example: apt-get install chromium', { cause })
    return chromium.launch({ executablePath: installed, timeout, args, headless: true })
  }
}
