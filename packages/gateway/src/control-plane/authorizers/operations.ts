import { limits } from '../../api.ts'
import { partOperations } from '../parts.ts'
import { nameIsTaken, routeKeysNaming } from '../parts-store.ts'
import { conflict } from '../problems.ts'
import { authorizerSettings, checkIssuer } from './rules.ts'
import { Authorizer, type AuthorizerMembers, CreateAuthorizer, UpdateAuthorizer } from './schema.ts'

export const authorizers = partOperations<'authorizers', AuthorizerMembers>({
  name: 'Authorizer',
  table: 'authorizers',
  summaries: {
    create: 'Say who decides who may call',
    list: 'List the authorizers of an API',
    read: 'Read an authorizer',
    change: 'Change an authorizer',
    remove: 'Remove an authorizer that no route uses',
  },
  shapes: { create: CreateAuthorizer, update: UpdateAuthorizer, shown: Authorizer },
  most: limits.authorizers,
  prepare: (body, { discover }) => checkIssuer(body, discover),
  async row(body, { tx, apiId }, before) {
    const name = body.name ?? before!.name
    if (name !== before?.name && (await nameIsTaken(tx, apiId, name))) {
      throw conflict(`Authorizer name must be unique. Authorizer ${name} already exists in this API.`)
    }
    return { name, settings: await authorizerSettings(before?.settings ?? {}, body) }
  },
  show: ({ id, name, settings }) => ({ ...settings, authorizerId: id, name }),
  async checkUnused({ id }, { tx, apiId }) {
    const [user] = await routeKeysNaming(tx, 'authorizer_id', apiId, id)
    if (user === undefined) return
    throw conflict(`Cannot delete Authorizer '${id}'. Authorizer is referenced by the route '${user}'`)
  },
})
