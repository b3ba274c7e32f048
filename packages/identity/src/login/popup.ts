import type { ResponseChannel } from '../oauth/authorize/checks.ts'
import type { Client } from '../oauth/configuration.ts'
import { organizationNameIn } from '../oauth/organization-address.ts'

/**
 * Whether a page of the sign-in leaves the application that opened it in a window its hold on that window. It waits there
 * for the message that we send or for its own callback, which finds it by `window.opener`; where a page on the way gives up
 * its opener, the window looks closed. Only for an answer to an origin that the client lists: exactly there may anybody ask
 * for a message, so that nothing is given away that `response_mode=web_message` would not give.
 */
export function mayStandInPopup(
  { web_origins }: Client,
  { redirect_uri }: Pick<ResponseChannel, 'redirect_uri'>,
): boolean {
  if (!URL.canParse(redirect_uri)) return false
  const { origin } = new URL(redirect_uri)
  return web_origins.includes(origin) || organizationNameIn(web_origins, origin) !== undefined
}
