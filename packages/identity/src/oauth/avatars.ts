/**
 * Pictures of people who have none of their own. Auth0 gives everybody one, so applications show `user.picture` without
 * asking whether it is there. Theirs lies with a service that is told the hash of each address; here two letters are
 * drawn, which stand in the picture's address: nobody is looked up, and whoever asks learns what they have asked for.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { brandTokens, DEFAULT_BRAND } from '../brand-colors.ts'
import { initials } from '../delivery/render.ts'
import { primaryColor } from '../environments/environment.ts'
import type { UserRecord } from './grant-store.ts'
import { problems } from './problems.ts'

type Named = Pick<UserRecord, 'name' | 'nickname' | 'email' | 'username'>

/** Where the picture of somebody is. @param issuer with its slash */
export function avatarOf(issuer: string, { name, nickname, email, username }: Named): string {
  // Of an address its domain says nothing about the person.
  const called = (name || nickname || username || email || '').split('@')[0]!
  // Of who is called by a telephone number nothing is told.
  const letters = /^[+\d\s()-]*$/.test(called) ? '' : initials(called).replace(/[^\p{L}\p{N}]/gu, '')
  return `${issuer}avatars/${encodeURIComponent(letters || UNKNOWN)}.svg`
}

const UNKNOWN = '0'

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
