/**
 * Who goes on? Asked where the request wants it (`prompt=select_account`) and the browser is signed in: as the person of
 * that sign-in, or as somebody else, who signs in first. An invitation says itself whom it means.
 */
import { initials } from '../../delivery/render.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import * as store from '../store.ts'

/** Whether nobody has said yet, by choosing or by signing in here, that the browser's sign-in is theirs. */
const asks = ({ session, transaction: { request, progress, invitationId } }: Visit): boolean =>
  session !== undefined &&
  invitationId === undefined &&
  request.prompt.includes('select_account') &&
  progress.account !== session.user_id

export const accountPicker: Step = {
  name: 'login/accounts',
  silently: 'interaction_required',
  isDue: asks,

  show,

  async submit(tools, visit, form) {
    // Somebody else may have signed in, in another window, since the page was shown.
    const isKept = form.account === visit.session!.user_id
    if (!isKept && form.account !== OTHER) return show(tools, visit)
    const account = isKept ? visit.session!.user_id : OTHER
    const transaction = await tools.transactions.note(visit.request, visit.transaction, { account })
    return tools.proceed({ ...visit, transaction, session: isKept ? visit.session : undefined })
  },
}

/** What the button says that leads to a sign-in; no id looks like it. */
export const OTHER = 'another'

async function show(tools: StepTools, visit: Visit) {
  const { request, session } = visit
  const [person] = await tools.database.once(request.environment.id, (tx) => store.person(tx, session!.user_id))
  const name = person?.name ?? person?.email ?? session!.user_id
  return tools.show(visit, 'account-picker', {
    accounts: [
      {
        id: session!.user_id,
        name,
        initials: initials(name.split('@')[0]!),
        email: person?.email === name ? null : person?.email,
      },
    ],
    other: OTHER,
  })
}
