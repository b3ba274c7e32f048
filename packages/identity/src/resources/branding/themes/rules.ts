import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { refuseActive, unsupported } from '../../inert.ts'
import { refuseImage } from '../rules.ts'
import { inert, inertIdentifiers, type Theme } from './schema.ts'
import type { ThemeRow } from './store.ts'

export const problems = defineProblems({
  theme_not_found: { status: 404, title: 'There was an error retrieving branding settings: theme not found' },
})

/** @throws Problem `operation_not_supported` naming the member, `invalid_body` */
export function accepted(theme: Theme): Theme {
  for (const part of ['borders', 'colors', 'fonts', 'page_background', 'widget'] as const) {
    refuseActive(inert[part], lowered(theme[part]), `${part}.`)
  }
  if (!inertIdentifiers(theme.identifiers)) throw unsupported('identifiers')
  refuseImage('widget.logo_url', theme.widget.logo_url)
  return theme
}

/** Colours are compared in lower case. */
const lowered = (part: object): object =>
  Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, typeof value === 'string' ? value.toLowerCase() : value]),
  )

export const created = (theme: Theme, now: Date): ThemeRow => ({
  id: newId.uuid(),
  theme: accepted(theme),
  created_at: now,
})

export const shown = ({ id, theme }: Pick<ThemeRow, 'id' | 'theme'>) => ({
  ...theme,
  displayName: theme.displayName ?? 'Unnamed Theme',
  themeId: id,
})
