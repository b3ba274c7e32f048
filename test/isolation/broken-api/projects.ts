/** Projects and the tasks below them, with what can be wrong about them. */
import { createHash, randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { type Handler, member, missing, refused, text } from './answer.ts'
import type { Leak } from './leaks.ts'
import * as store from './store.ts'

const id = (kind: string): string => `${kind}_${randomBytes(8).toString('hex')}`
const shown = ({ tenant_id: _, ...project }: store.Project) => project
const etagOf = (project: store.Project): string =>
  `"${createHash('sha256').update(JSON.stringify(project)).digest('hex').slice(0, 24)}"`
const cursorOf = (position: object): string => Buffer.from(JSON.stringify(position)).toString('base64url')
const positionOf = (cursor: string): Record<string, string> => {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return {}
  }
}

export function projectRoutes(sql: Sql, on: (leak: Leak) => boolean): Record<string, Handler> {
  /** Looked for exactly and within the tenant, and then in the ways of the leaks about spelling. */
  const find = async (of: store.Of, wanted: string) => {
    const found = await store.project(sql, of, wanted)
    if (found) return found
    if (on('id-pattern') && wanted.includes('%')) return store.projectLike(sql, wanted)
    const exists = on('id-case') && (await store.project(sql, 'all', wanted))
    return on('id-case') && !exists ? store.projectLike(sql, wanted.replace(/[\\%_]/g, '\\$&')) : undefined
  }
  return {
    'GET /projects': async ({ tenant, query }) => {
      const at = positionOf(query.get('cursor') ?? '')
      const named = on('query-tenant') ? text(query.get('tenantId')) : undefined
      const all = on('list-unlimited') || (on('scope-all') && query.get('scope') === 'all')
      const of = all ? 'all' : on('cursor-tenant') && at.tenant ? at.tenant : (named ?? tenant)
      const limit = Number(query.get('limit') ?? 50)
      const found = await store.projects(sql, of, { after: at.after, limit: limit + 1, q: query.get('q') ?? '' })
      const page = found.slice(0, limit)
      const next = found.length > limit ? { next: cursorOf({ tenant, after: page.at(-1)!.id }) } : {}
      return { status: 200, body: { projects: page.map(shown), ...next } }
    },
    'POST /projects': async ({ tenant, body }) => {
      const { name, code, description = null, stage = 'planned' } = body
      if (!text(name) || !text(code)) return refused(400, 'invalid')
      const owner = (on('mass-assignment') && text(body.tenantId)) || tenant
      const row = { tenant_id: owner, id: id('prj'), code, name, description, stage } as store.Project
      const made = await store.addProject(sql, row)
      return made
        ? { status: 201, body: shown(made), headers: { location: `/projects/${made.id}` } }
        : refused(409, 'code_taken')
    },
    'GET /projects/:projectId': async ({ tenant, params, request }) => {
      const validator = request.headers['if-none-match']
      if (on('etag-first') && validator !== undefined) {
        const any = await store.project(sql, 'all', params.projectId!)
        if (any && etagOf(any) === validator) return { status: 304 }
      }
      const found = await find(on('read-unlimited') ? 'all' : tenant, params.projectId!)
      if (!found) return missing
      if (validator === etagOf(found)) return { status: 304 }
      return { status: 200, body: shown(found), headers: { etag: etagOf(found), 'cache-control': 'private, no-cache' } }
    },
    'PATCH /projects/:projectId': async ({ tenant, params, body }) => {
      const change: Partial<store.Project> = {}
      if (text(body.name)) change.name = String(body.name)
      if (text(body.description)) change.description = String(body.description)
      if (on('give-away') && text(body.tenantId)) change.tenant_id = String(body.tenantId)
      if (Object.keys(change).length === 0) return refused(400, 'nothing_to_change')
      const changed = await store.changeProject(sql, on('update-unlimited') ? 'all' : tenant, params.projectId!, change)
      if (changed) return { status: 200, body: shown(changed) }
      return on('differs-in-body') && (await store.project(sql, 'all', params.projectId!))
        ? refused(404, 'wrong_tenant')
        : missing
    },
    'DELETE /projects/:projectId': async ({ tenant, params }) => {
      if (await store.removeProject(sql, on('delete-unlimited') ? 'all' : tenant, params.projectId!))
        return { status: 204 }
      const other = on('error-quotes') && (await store.project(sql, 'all', params.projectId!))
      return other ? { status: 403, body: { code: 'forbidden', message: `${other.name} is not yours.` } } : missing
    },
    'POST /projects/:projectId': async ({ params, request }) => {
      if (!on('method-override') || request.headers['x-http-method-override'] !== 'DELETE')
        return refused(405, 'method')
      return (await store.removeProject(sql, 'all', params.projectId!)) ? { status: 204 } : missing
    },
    'GET /projects/:projectId/tasks': async ({ tenant, params, request }) => {
      const label = /^(tn[0-9a-f]+)\./.exec(String(request.headers['x-forwarded-host'] ?? ''))?.[1]
      const of = on('forwarded-host') && label ? label : on('tasks-of-any-project') ? 'all' : tenant
      if (!(await store.project(sql, of, params.projectId!))) return missing
      return { status: 200, body: (await store.tasks(sql, of, { projectId: params.projectId! })).map(taskShown) }
    },
    'POST /projects/:projectId/tasks': async ({ tenant, params, body }) => {
      const project = await store.project(sql, on('create-under-any') ? 'all' : tenant, params.projectId!)
      if (!project) return missing
      if (!text(body.title)) return refused(400, 'invalid')
      const row = { tenant_id: project.tenant_id, id: id('tsk'), project_id: project.id, title: String(body.title) }
      return { status: 201, body: taskShown(await store.addTask(sql, row)) }
    },
    'GET /projects/:projectId/tasks/:taskId': async ({ tenant, params }) => {
      const { projectId, taskId } = params as { projectId: string; taskId: string }
      if (!(await store.project(sql, tenant, projectId))) {
        return on('forbidden-not-missing') && (await store.project(sql, 'all', projectId))
          ? refused(403, 'forbidden')
          : missing
      }
      const within = on('child-by-id') ? { ids: [taskId] } : { ids: [taskId], projectId }
      const [task] = await store.tasks(sql, on('child-by-id') ? 'all' : tenant, within)
      return task ? { status: 200, body: taskShown(task) } : missing
    },
    'DELETE /projects/:projectId/tasks/:taskId': async ({ tenant, params }) => {
      const removed = await store.removeTask(sql, on('delete-nested') ? 'all' : tenant, params.taskId!)
      return removed ? { status: 204 } : missing
    },
    'GET /projects/:projectId/comments': async ({ tenant, params }) =>
      (await store.project(sql, tenant, params.projectId!))
        ? { status: 200, body: await store.comments(sql, tenant, params.projectId!) }
        : missing,
    'POST /projects/:projectId/comments': async ({ tenant, params, body }) => {
      if (!(await store.project(sql, tenant, params.projectId!))) return missing
      if (!text(body.text)) return refused(400, 'invalid')
      return { status: 201, body: await store.addComment(sql, tenant, params.projectId!, String(body.text)) }
    },
    'GET /projects/:projectId/comments/:number': async ({ tenant, params }) => {
      const found = await store.comment(sql, tenant, params.projectId!, params.number!)
      return found ? { status: 200, body: found } : missing
    },
    'DELETE /projects/:projectId/comments/:number': async ({ tenant, params }) =>
      (await store.removeComment(sql, tenant, params.projectId!, params.number!)) ? { status: 204 } : missing,
    'POST /exports': async ({ tenant, body }) => {
      const wanted = String(body.projectId ?? '')
      const project = await store.project(sql, on('reference-expanded') ? 'all' : tenant, wanted)
      if (!project) return missing
      const owner = (on('nested-assignment') && text(member(body.tenant, 'id'))) || tenant
      const row = { tenant_id: owner, label: String(body.label ?? ''), content: `${project.code};${project.name}` }
      const { id: number, label } = await store.addExport(sql, row)
      return { status: 201, body: { id: number, label } }
    },
    'GET /exports/:exportId': async ({ tenant, params }) => {
      const number = Number(params.exportId)
      if (!Number.isSafeInteger(number) || number > 2 ** 31 - 1) return missing
      const found = await store.exported(sql, on('export-unlimited') || tenant === '' ? 'all' : tenant, number)
      return found ? { status: 200, body: found } : missing
    },
    'GET /stats': async ({ tenant }) => ({
      status: 200,
      body: await store.counts(sql, on('count-over-all') ? 'all' : tenant),
    }),
  }
}

export const taskShown = ({ id: task, project_id, title }: store.Task) => ({ id: task, projectId: project_id, title })
export const newTaskId = () => id('tsk')
