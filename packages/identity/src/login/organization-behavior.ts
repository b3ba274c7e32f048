/**
 * When a sign-in asks for an organization that the request does not name, by the two settings of its client.
 *
 *   organization_usage   no_prompt                 pre_login_prompt          post_login_prompt
 *   deny                 none                      none                      none
 *   allow                none                      none                      after: one, or none
 *   require              refused at /authorize     before                    after: one
 */
import type { Visit } from './login.ts'

type Asked = Pick<Visit, 'client' | 'transaction'>

const isNamed = ({ transaction }: Asked): boolean => transaction.request.organization_id !== undefined

/** Whether the person says before the sign-in for which organization it is. */
export const asksBefore = (visit: Asked): boolean =>
  !isNamed(visit) &&
  visit.client.organization_usage === 'require' &&
  visit.client.organization_require_behavior === 'pre_login_prompt'

/** Whether the person chooses among their organizations after the sign-in. */
export const asksAfter = (visit: Asked): boolean =>
  !isNamed(visit) &&
  visit.client.organization_usage !== 'deny' &&
  visit.client.organization_require_behavior === 'post_login_prompt'
