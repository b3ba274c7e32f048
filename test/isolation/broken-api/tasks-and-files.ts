/** Tasks over all projects, and files, with what can be wrong about them. */

import { posix } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { type Handler, member, missing, refused, text } from './answer.ts'
import type { Leak } from './leaks.ts'
import { newTaskId, taskShown } from './projects.ts'
import * as store from './store.ts'

/** What a service must not have: it is everybody's. */
let current = ''

const FILE_NAME = /^[A-Za-z0-9._-]{1,64}$/

export function taskRoutes(sql: Sql, on: (leak: Leak) => boolean): Record<string, Handler> {
  const idsOf = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
  return {
    'GET /tasks': async ({ tenant, query, request }) => {
      const header = on('header-tenant') ? text(request.headers['x-tenant-id']) : undefined
      let of: store.Of = header ?? tenant
      if (on('shared-variable')) {
        current = of
        // Anything that waits: here the database, as in life.
        await sql`select 1`
        await turn()
        of = current
      }
      const projectId = text(query.get('projectId'))
      if (projectId) return list(await store.tasks(sql, on('filter-replaces') ? 'all' : of, { projectId }))
      const ids = query.getAll('ids')
      if (ids.length === 0)
        return list(await store.tasks(sql, of, text(query.get('title')) ? { title: query.get('title')! } : {}))
      const first = await store.tasks(sql, of, { ids: ids.slice(0, 1) })
      return on('repeated-ids') && first.length > 0 && ids.length > 1
        ? list(await store.tasks(sql, 'all', { ids }))
        : list(await store.tasks(sql, of, { ids }))
    },
    'POST /tasks': async ({ tenant, body, request }) => {
      const wanted = text(member(body.project, 'id'))
      if (!wanted || !text(body.title)) return refused(400, 'invalid')
      const project = await store.project(sql, on('foreign-reference') ? 'all' : tenant, wanted)
      if (!project) return missing
      const owner = (on('header-tenant-write') && text(request.headers['x-org-id'])) || tenant
      const task = await store.addTask(sql, {
        tenant_id: owner,
        id: newTaskId(),
        project_id: project.id,
        title: String(body.title),
      })
      return { status: 201, body: { ...taskShown(task), project: { id: project.id, name: project.name } } }
    },
    'POST /tasks/batch': async ({ tenant, body }) => {
      const ids = idsOf(body.ids)
      if (ids.length === 0 || !text(body.title)) return refused(400, 'invalid')
      const [first] = await store.tasks(sql, tenant, { ids: ids.slice(0, 1) })
      const of = on('batch-first-checked') && first ? 'all' : tenant
      return {
        status: 200,
        body: { renamed: (await store.renameTasks(sql, of, ids, String(body.title))).map(({ id }) => id) },
      }
    },
    'POST /tasks/lookup': async ({ tenant, body }) => {
      const ids = Array.isArray(body.tasks) ? idsOf(body.tasks.map((one) => member(one, 'id'))) : []
      return list(await store.tasks(sql, on('batch-of-objects') ? 'all' : tenant, { ids }))
    },
    'POST /tasks/search': async ({ tenant, body }) => {
      const filter = body.filter
      const named = on('filter-replaced') ? text(member(filter, 'tenantId')) : undefined
      const either = on('filter-or') && (member(filter, 'or') ?? member(filter, 'OR')) !== undefined
      const id = text(member(filter, 'id'))
      return list(await store.tasks(sql, either ? 'all' : (named ?? tenant), id ? { ids: [id] } : {}))
    },
  }
}

const list = (tasks: readonly store.Task[]) => ({ status: 200, body: { tasks: tasks.map(taskShown) } })

/** @param narrow a pool of one connection, as a small one is under load */
export function fileRoutes(sql: Sql, narrow: Sql, on: (leak: Leak) => boolean): Record<string, Handler> {
  /** Tenant and name of a key; undefined for a name that is refused. */
  const place = (tenant: string, name: string, climbs: boolean): [string, string] | undefined => {
    if (FILE_NAME.test(name) && !/^\.+$/.test(name)) return [tenant, name]
    if (!climbs) return undefined
    const [owner, file, ...rest] = posix.normalize(`${tenant}/${name}`).split('/')
    return owner && file && rest.length === 0 ? [owner, file] : undefined
  }
  return {
    'GET /files': async ({ tenant }) => {
      const headers = { 'cache-control': on('cache-public') ? 'public, max-age=60' : 'private, no-store' }
      if (!on('pooled-setting')) return { status: 200, body: { files: await store.files(sql, tenant) }, headers }
      await narrow`select set_config('broken.tenant', ${tenant}, false)`
      return { status: 200, body: { files: await store.filesBySetting(narrow) }, headers }
    },
    'GET /files/:name': async ({ tenant, params }) => {
      const at = place(tenant, params.name!, on('file-climbs'))
      const found = at && (await store.file(sql, ...at))
      return at ? (found ? { status: 200, body: found } : missing) : refused(400, 'name_refused')
    },
    'PUT /files/:name': async ({ tenant, params, body }) => {
      const at = place(tenant, params.name!, on('file-climbs-write'))
      if (!at || !text(body.content)) return refused(400, 'invalid')
      if (!on('upsert-over-all') || !(await store.overwriteFile(sql, at[1], String(body.content)))) {
        await store.putFile(sql, ...at, String(body.content))
      }
      return { status: 200, body: { name: at[1] } }
    },
    'DELETE /files/:name': async ({ tenant, params }) =>
      (await store.removeFile(sql, tenant, params.name!)) ? { status: 204 } : missing,
  }
}
