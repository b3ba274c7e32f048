import { createHash } from 'node:crypto'

export interface Asked {
  companyName: string
  email: string
  plan: string
}

/** Spaces around and the case of an address make no other registration. */
export const normalized = (asked: Asked): Asked => ({
  companyName: asked.companyName.trim().replace(/\s+/g, ' '),
  email: asked.email.trim().toLowerCase(),
  plan: asked.plan,
})

export const hashOf = (...parts: string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest()

/** 5 s, 10 s, 20 s … up to ten minutes. */
export const retryDelaySeconds = (attempts: number): number => Math.min(600, 5 * 2 ** Math.max(0, attempts - 1))

/** With the delays above, something over an hour of trying. */
export const MAX_ATTEMPTS = 12
