/** Rows of the broken API. `of` is a tenant's id, or 'all' where a leak has taken the limit away. */
import type { Sql } from 'postgres'

export type Of = string | 'all'

export interface Project {
  tenant_id: string
  id: string
  code: string
  name: string
  description: string | null
  stage: string
}
export interface Task {
  tenant_id: string
  id: string
  project_id: string
  title: string
}

/** Counted in each project: the second one of a project is number 2, whosever project it is. */
export interface Comment {
  number: number
  text: string
}

export async function createTables(sql: Sql): Promise<void> {
  await sql`create table projects (tenant_id text, id text primary key, code text, name text, description text, stage text, unique (tenant_id, code))`
  await sql`create table tasks (tenant_id text, id text primary key, project_id text, title text)`
  await sql`create table comments (tenant_id text, project_id text, number integer, text text, primary key (project_id, number))`
  await sql`create table files (tenant_id text, name text, content text, primary key (tenant_id, name))`
  await sql`create table exports (tenant_id text, id integer generated always as identity (start with 4000) primary key, label text, content text)`
}

export const clear = (sql: Sql) => sql`truncate projects, tasks, comments, files, exports`

const within = (sql: Sql, of: Of) => (of === 'all' ? sql`true` : sql`tenant_id = ${of}`)

export const projects = (sql: Sql, of: Of, { after = '', limit = 50, q = '' } = {}) =>
  sql<
    Project[]
  >`select * from projects where ${within(sql, of)} and id > ${after} and position(${q} in name) > 0 order by id limit ${limit}`

export const project = async (sql: Sql, of: Of, id: string): Promise<Project | undefined> =>
  (await sql<Project[]>`select * from projects where ${within(sql, of)} and id = ${id}`)[0]

export const projectLike = async (sql: Sql, pattern: string): Promise<Project | undefined> =>
  (await sql<Project[]>`select * from projects where id ilike ${pattern} order by id limit 1`)[0]

/** @returns undefined when the code is taken */
export const addProject = async (sql: Sql, row: Project): Promise<Project | undefined> =>
  (await sql<Project[]>`insert into projects ${sql(row)} on conflict do nothing returning *`)[0]

export const changeProject = async (
  sql: Sql,
  of: Of,
  id: string,
  row: Partial<Project>,
): Promise<Project | undefined> =>
  (await sql<Project[]>`update projects set ${sql(row)} where ${within(sql, of)} and id = ${id} returning *`)[0]

export const removeProject = async (sql: Sql, of: Of, id: string): Promise<boolean> =>
  (await sql`delete from projects where ${within(sql, of)} and id = ${id}`).count > 0

export const tasks = (sql: Sql, of: Of, filter: { projectId?: string; ids?: string[]; title?: string } = {}) =>
  sql<Task[]>`select * from tasks where ${within(sql, of)}
    and ${filter.projectId === undefined ? sql`true` : sql`project_id = ${filter.projectId}`}
    and ${filter.ids === undefined ? sql`true` : sql`id = any(${filter.ids})`}
    and ${filter.title === undefined ? sql`true` : sql`title = ${filter.title}`}
    order by id limit 500`

export const addTask = async (sql: Sql, row: Task): Promise<Task> =>
  (await sql<Task[]>`insert into tasks ${sql(row)} returning *`)[0]!

export const renameTasks = (sql: Sql, of: Of, ids: string[], title: string) =>
  sql<Task[]>`update tasks set title = ${title} where ${within(sql, of)} and id = any(${ids}) returning *`

export const removeTask = async (sql: Sql, of: Of, id: string): Promise<boolean> =>
  (await sql`delete from tasks where ${within(sql, of)} and id = ${id}`).count > 0

export const comments = (sql: Sql, of: Of, projectId: string) =>
  sql<
    Comment[]
  >`select number, text from comments where ${within(sql, of)} and project_id = ${projectId} order by number limit 500`

export const comment = async (sql: Sql, of: Of, projectId: string, number: string): Promise<Comment | undefined> =>
  (await comments(sql, of, projectId)).find((each) => String(each.number) === number)

export const addComment = async (sql: Sql, tenant: string, projectId: string, text: string): Promise<Comment> =>
  (
    await sql<Comment[]>`insert into comments
      select ${tenant}, ${projectId}, coalesce(max(number), 0) + 1, ${text} from comments where project_id = ${projectId}
      returning number, text`
  )[0]!

export const removeComment = async (sql: Sql, of: Of, projectId: string, number: string): Promise<boolean> =>
  (await sql`delete from comments where ${within(sql, of)} and project_id = ${projectId} and number::text = ${number}`)
    .count > 0

export const files = (sql: Sql, of: Of) =>
  sql<{ name: string }[]>`select name from files where ${within(sql, of)} order by name limit 500`

/** The tenant is what the connection's setting says. */
export const filesBySetting = (sql: Sql) =>
  sql<
    { name: string }[]
  >`select name from files where tenant_id = current_setting('broken.tenant', true) order by name limit 500`

export const file = async (sql: Sql, of: Of, name: string): Promise<{ name: string; content: string } | undefined> =>
  (
    await sql<
      { name: string; content: string }[]
    >`select name, content from files where ${within(sql, of)} and name = ${name}`
  )[0]

export const putFile = (sql: Sql, tenant: string, name: string, content: string) =>
  sql`insert into files values (${tenant}, ${name}, ${content}) on conflict (tenant_id, name) do update set content = excluded.content`

export const overwriteFile = async (sql: Sql, name: string, content: string): Promise<boolean> =>
  (await sql`update files set content = ${content} where name = ${name}`).count > 0

export const removeFile = async (sql: Sql, of: Of, name: string): Promise<boolean> =>
  (await sql`delete from files where ${within(sql, of)} and name = ${name}`).count > 0

export const addExport = async (sql: Sql, row: { tenant_id: string; label: string; content: string }) =>
  (await sql<{ id: number; label: string }[]>`insert into exports ${sql(row)} returning id, label`)[0]!

export const exported = async (sql: Sql, of: Of, id: number) =>
  (
    await sql<
      { id: number; label: string; content: string }[]
    >`select id, label, content from exports where ${within(sql, of)} and id = ${id}`
  )[0]

export const counts = async (sql: Sql, of: Of) =>
  (
    await sql<{ projects: number; tasks: number }[]>`
      select (select count(*)::int from projects where ${within(sql, of)}) as projects,
             (select count(*)::int from tasks where ${within(sql, of)}) as tasks`
  )[0]!
