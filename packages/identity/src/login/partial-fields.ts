/**
 * Fields that an environment's partials add to a form. Their names begin with `ulp-`, as at Auth0, and Actions read them
 * as `event.request.body`. Anybody can post anything under such a name: they are kept small, and prove nothing.
 */

import { beginning } from '../oauth/parameters.ts'
import type { Visit } from './login.ts'
import type { Transactions } from './transactions.ts'

const MOST = 20

export const isPartialField = (name: string): boolean => /^ulp-[\w-]{1,60}$/.test(name)

/** @returns undefined when the form has none */
function partialFields(form: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const fields = Object.entries(form).filter(([name]) => isPartialField(name))
  if (fields.length === 0) return undefined
  return Object.fromEntries(fields.map(([name, value]) => [name, beginning(value, 1000)]))
}

/** What partials ask for is kept until the sign-in ends: the step with their form need not be the last. */
export async function noteFields(
  transactions: Transactions,
  visit: Visit,
  form: Readonly<Record<string, string>>,
): Promise<Visit> {
  const given = partialFields(form)
  if (!given) return visit
  // Of the whole sign-in: a form can be posted again and again, with other names each time.
  const all = Object.entries({ ...visit.transaction.progress.fields, ...given })
  const fields = Object.fromEntries(all.slice(0, MOST))
  return { ...visit, transaction: await transactions.note(visit.request, visit.transaction, { fields }) }
}
