/** Draws the pictures of people who have none of their own. */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { brandTokens, DEFAULT_BRAND } from '../brand-colors.ts'
import { primaryColor } from '../environments/environment.ts'
import { UNKNOWN } from '../resources/users/avatar.ts'
import { problems } from './problems.ts'

/** Letters and digits alone: nothing that could be markup gets into a picture. One of them may have become three. */
const FILE = /^([\p{L}\p{N}]{1,6})\.svg$/u

export async function avatars(app: Api): Promise<void> {
  app.get<{ Params: { file: string } }>('/avatars/:file', async (request, reply) => {
    const [, letters] = FILE.exec(request.params.file) ?? []
    if (letters === undefined) throw problems.not_found()
    const { brand, brandOn } = brandTokens(primaryColor(request.environment) ?? DEFAULT_BRAND).light
    return (
      reply
        .type('image/svg+xml; charset=utf-8')
        .header('cache-control', 'public, max-age=86400')
        // Applications show it on their own pages; opened by itself it is a document, which may do nothing.
        .header('cross-origin-resource-policy', 'cross-origin')
        .header('content-security-policy', "default-src 'none'")
        .header('x-content-type-options', 'nosniff')
        .send(drawing(letters === UNKNOWN ? '' : letters, brand, brandOn))
    )
  })
}

const drawing = (letters: string, ground: string, ink: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 96 96"><rect width="96" height="96" fill="${ground}"/>${
    letters === ''
      ? `<circle cx="48" cy="38" r="16" fill="${ink}"/><path d="M14 96a34 34 0 0 1 68 0z" fill="${ink}"/>`
      : `<text x="48" y="50" fill="${ink}" font-family="system-ui,sans-serif" font-size="${letters.length > 2 ? 26 : 38}" font-weight="600" text-anchor="middle" dominant-baseline="central">${letters}</text>`
  }</svg>`
