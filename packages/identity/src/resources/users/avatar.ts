/**
 * Pictures of people who have none of their own. Auth0 gives everybody one, so applications show `user.picture` without
 * asking whether it is there. Theirs lies with a service that is told the hash of each address; here two letters are
 * drawn, which stand in the picture's address: nobody is looked up, and whoever asks learns what they have asked for.
 */
import { initials } from '../../delivery/render.ts'

interface Named {
  name: string | null
  email: string | null
  nickname?: string | null
  username?: string | null
}

/** In the place of letters, where there are none. */
export const UNKNOWN = '0'

/** Where the picture of somebody is. @param issuer with its slash */
export function avatarOf(issuer: string, { name, nickname, email, username }: Named): string {
  // Of an address its domain says nothing about the person.
  const called = (name || nickname || username || email || '').split('@')[0]!
  // Of who is called by a telephone number nothing is told.
  const letters = /^[+\d\s()-]*$/.test(called) ? '' : initials(called).replace(/[^\p{L}\p{N}]/gu, '')
  return `${issuer}avatars/${encodeURIComponent(letters || UNKNOWN)}.svg`
}

/** Somebody with a picture, their own or that one. */
export const pictured = <T extends Named & { picture: string | null }>(issuer: string, person: T) => ({
  ...person,
  picture: person.picture ?? avatarOf(issuer, person),
})
