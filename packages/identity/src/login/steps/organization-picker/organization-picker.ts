/**
 * Which of your organizations? Asked after the sign-in. Who has one only, where one is required, is not asked; who may come
 * without one may say so. An organization that this sign-in does not open, because its people come through another
 * connection, leads on to its own sign-in.
 */
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import { brandTokens } from '../../../brand-colors.ts'
import { initials } from '../../../delivery/render.ts'
import type { Step, StepTools, Visit } from '../../login.ts'
import { asksAfter } from '../../organization-behavior.ts'
import { onlyCodes } from '../../station.ts'
import * as people from '../../store.ts'
import * as store from './store.ts'

const PAGE = 20
/** What the button says that leads on without an organization; no id looks like it. */
const PERSONAL = 'personal'

/** A silent request of a client that needs none gets what it asked for: a sign-in without an organization. */
const asks = ({ session, transaction, ...visit }: Visit): boolean =>
  session !== undefined &&
  asksAfter({ ...visit, transaction }) &&
  transaction.organizationId === undefined &&
  !transaction.progress.isPersonal &&
  !(visit.client.organization_usage === 'allow' && transaction.request.prompt.includes('none'))

export const organizationPicker: Step = {
  name: 'organization/picker',
  silently: 'interaction_required',

  async answer(tools, visit) {
    if (!asks(visit) || visit.client.organization_usage !== 'require') return undefined
    const [first, ...more] = await find(tools, visit, { limit: 2 })
    return first && more.length === 0 ? choose(tools, visit, first.organization_id) : undefined
  },

  isDue: async (visit, tools) => asks(visit) && (await find(tools, visit, { limit: 1 })).length > 0,

  show: (tools, visit) => render(tools, visit, {}),

  async submit(tools, visit, form) {
    const chosen = form.organization ?? ''
    if (chosen === PERSONAL && visit.client.organization_usage === 'allow') {
      const transaction = await tools.transactions.note(visit.request, visit.transaction, { isPersonal: true })
      return tools.proceed({ ...visit, transaction })
    }
    const [found] = await find(tools, visit, { limit: 1, id: chosen })
    if (!found) return render(tools, visit, { refused: 'invalid-organization' }, 400)
    return tools.proceed(await choose(tools, visit, found.organization_id))
  },
}

const find = (
  { database }: StepTools,
  { request, client, session }: Visit,
  which: { limit: number; offset?: number; id?: string; search?: string },
) =>
  database.once(request.environment.id, (tx) =>
    store.reachable(
      tx,
      { userId: session!.user_id, connectionId: session!.connection_id, clientId: client.client_id },
      { offset: 0, ...which },
    ),
  )

async function choose(tools: StepTools, visit: Visit, organizationId: string): Promise<Visit> {
  const { request, client, session } = visit
  const transaction = await tools.transactions.choose(request, visit.transaction, organizationId)
  const connections = await tools.configuration.connections(request.environment.id, client.client_id, organizationId)
  return connections.some(({ id }) => id === session!.connection_id)
    ? { ...visit, transaction }
    : { ...visit, transaction, session: undefined }
}

async function render(tools: StepTools, visit: Visit, values: Record<string, unknown>, status = 200) {
  const query = parseQuery(visit.request.raw.url ?? '')
  const search = (query.q ?? '').trim().slice(0, 60)
  const page = /^\d{1,4}$/.test(query.page ?? '') ? Number(query.page) : 0
  const found = await find(tools, visit, { limit: PAGE, offset: page * PAGE, search })
  const total = found[0]?.total ?? 0
  const { user_id } = visit.session!
  const [person] = await tools.database.once(visit.request.environment.id, (tx) => people.person(tx, user_id))
  return tools.show(
    visit,
    'organization-picker',
    {
      ...values,
      organizations: found.map(shown),
      who: person?.email ?? person?.name ?? user_id,
      change_page: (await onlyCodes(tools, visit)) ? '/u/login/code' : '/u/login',
      may_be_personal: visit.client.organization_usage === 'allow',
      personal: PERSONAL,
      search,
      has_search: search !== '' || page > 0 || total > PAGE,
      previous: page > 0 ? String(page - 1) : undefined,
      next: total > (page + 1) * PAGE ? String(page + 1) : undefined,
    },
    status,
    found.flatMap(({ branding }) => branding?.logo_url ?? []),
  )
}

function shown({ organization_id: id, display_name, branding, roles }: store.ReachableRow) {
  const primary = branding?.colors?.primary
  return {
    id,
    display_name,
    roles: roles.join(', '),
    logo: branding?.logo_url,
    initials: initials(display_name),
    tile: primary && { ground: primary, letters: brandTokens(primary).light.brandOn },
  }
}
