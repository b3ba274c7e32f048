import type { Editing } from '../editing.ts'
import { shortId } from '../editing.ts'
import { integrationSettings, targetSettings } from '../integrations/rules.ts'
import * as parts from '../parts-store.ts'
import { badRequest } from '../problems.ts'
import { routeRow } from '../routes/rules.ts'
import * as stages from '../stages/store.ts'
import type { ApiMembers } from './schema.ts'

/** A route, what it leads to, and a stage that deploys every change: an API that answers at once. */
export async function quickCreate(edit: Editing, { target, routeKey, credentialsArn }: ApiMembers, now: Date) {
  if (target === undefined) {
    if (routeKey === undefined && credentialsArn === undefined) return
    throw badRequest('routeKey and credentialsArn belong to quick create, which needs a target')
  }
  const { tx } = edit
  const integration = {
    id: shortId(7),
    settings: integrationSettings({}, targetSettings(target, credentialsArn)),
    is_managed: true,
  }
  await parts.insert(tx, 'integrations', edit, integration)
  const route = await routeRow(
    { routeKey: routeKey ?? '$default', target: `integrations/${integration.id}` },
    edit,
    undefined,
  )
  await parts.insert(tx, 'routes', edit, { id: shortId(7), ...route, is_managed: true })
  await stages.insert(tx, edit, {
    name: '$default',
    deployment_id: null,
    is_auto_deploy: true,
    settings: {},
    tags: {},
    is_managed: true,
    deployment_message: null,
    created_at: now,
    updated_at: now,
  })
}

/** UpdateApi's members of quick create: where the managed route leads, and which one it is. */
export async function changeQuickCreated({ tx, apiId }: Editing, { target, routeKey, credentialsArn }: ApiMembers) {
  if (target === undefined && routeKey === undefined && credentialsArn === undefined) return
  if (routeKey !== undefined) throw badRequest('The key of a route made by quick create cannot be changed')
  const managed = (await parts.all(tx, 'integrations', apiId)).find((row) => row.is_managed)
  if (managed === undefined) throw badRequest('This API was not made by quick create, so it has no target')
  const change =
    target === undefined
      ? { credentialsArn: credentialsArn! }
      : targetSettings(target, credentialsArn ?? managed.settings.credentialsArn)
  const before = target === undefined ? managed.settings : {}
  await parts.update(tx, 'integrations', apiId, {
    id: managed.id,
    is_managed: true,
    settings: integrationSettings(before, change),
  })
}
