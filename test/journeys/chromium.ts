/** The Chromium that npm brings, or the system's where that one cannot run. */

import { existsSync } from 'node:fs'
import sparticuz from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'

const FALLBACKS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

// Four times what the driver waits by itself: a machine with much else to do takes longer.
const timeout = 120_000

export async function launchChromium(): Promise<Browser> {
  const browser = await launch()
  const newContext = browser.newContext.bind(browser)
  browser.newContext = async (options) => {
    const context = await newContext(options)
    context.setDefaultTimeout(timeout)
    return context
  }
  return browser
}

async function launch(): Promise<Browser> {
  // Not the flags that the package proposes: they switch web security off and put everything into one process.
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
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
