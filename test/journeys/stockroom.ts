/** What people do in Stockroom at the beginning of each journey. */
import type { Page } from 'playwright-core'
import type { Installation } from './installation.ts'

export const PASSWORD = 'copper lantern drift'
export const primary = 'form[data-form-primary=true]'
/** As end-to-end recipes for Auth0 find it. */
export const continueButton = `${primary} button[type=submit][name=action][value=default][data-action-button-primary=true]`

export async function register(
  page: Page,
  installation: Installation,
  companyName: string,
  email: string,
  plan = 'Standard',
): Promise<void> {
  await page.goto(installation.quickstart.appUrl)
  await page.fill('#companyName', companyName)
  await page.fill('#email', email)
  await page.check(`fieldset.plans label:has(b:text-is("${plan}")) input`)
  await page.click('form:has(#companyName) button[type=submit]')
  await page.waitForSelector('h2:has-text("Check your mail to finish")')
}

/** Follows the link in the newest mail, chooses the password, and is inside. */
export async function acceptInvitation(page: Page, installation: Installation, email: string): Promise<void> {
  const mail = await installation.mailTo(email)
  await page.goto(mail.links.find((link) => link.includes('invitation='))!)
  await page.fill('input#password', PASSWORD)
  await page.click(continueButton)
  await page.waitForURL('**/items')
}
