/**
 * Is this the device in front of you? Always asked, of whoever is signed in already too: a link with a code in it may come
 * from somebody whose device it is (RFC 8628 §5.4).
 */
import { problems } from '../../oauth/problems.ts'
import { openUserCode } from '../device/activation.ts'
import type { Step } from '../login.ts'

export const deviceConfirmation: Step = {
  name: 'device/confirmation',
  silently: 'interaction_required',
  isDue: ({ transaction }) => transaction.request.device !== undefined && !transaction.progress.deviceConfirmed,

  show: (tools, visit) => {
    const user_code = openUserCode(tools, visit.request, visit.transaction.request.device!)
    return tools.show(visit, 'device-confirmation', { user_code })
  },

  async submit(tools, visit, form) {
    if (form.action === 'cancel')
      return tools.decline(visit, problems.access_denied({ facts: { reason: 'cancelled' } }))
    const transaction = await tools.transactions.note(visit.request, visit.transaction, { deviceConfirmed: true })
    return tools.proceed({ ...visit, transaction })
  },
}
