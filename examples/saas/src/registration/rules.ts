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

/** In which registrations of one address are counted. */
export const WINDOW_MILLISECONDS = 3_600_000
