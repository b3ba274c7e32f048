import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Management, ManagementClient, type ManagementError } from 'auth0'
import { all, startSdkWorld } from '../fixture.ts'
import type { Open } from './roles.ts'

interface Refusal {
  statusCode: number
  error: string
  message: string
  errorCode?: string
}

const MANY = 2500

export function limitsSuite(open: Open): void {
  test('a refusal is an error of the class of its status, with what was wrong', async () => {
    const { api, world } = open()
    const refused = async (call: PromiseLike<unknown>, kind: typeof ManagementError, body: Partial<Refusal>) => {
      await assert.rejects(Promise.resolve(call), (error: unknown) => {
        assert.ok(error instanceof kind, String(error))
        assert.equal(error.statusCode, body.statusCode)
        const { statusCode, errorCode } = error.body as Refusal
        assert.deepEqual({ statusCode, errorCode }, body)
        return true
      })
    }
    const of = (statusCode: number, errorCode: string) => ({ statusCode, errorCode })
    await refused(api.users.get('auth0|nobody'), Management.NotFoundError, of(404, 'inexistent_user'))
    const role = await api.roles.create({ name: 'Twice' })
    await refused(api.roles.create({ name: 'twice' }), Management.ConflictError, of(409, 'role_conflict'))
    await api.roles.delete(role.id!)
    // @ts-expect-error: a member that Auth0 does not know either
    const surprising = api.roles.create({ name: 'Odd', surprise: true })
    await refused(surprising, Management.BadRequestError, of(400, 'invalid_body'))

    const poor = await api.clients.create({ name: 'Poor', app_type: 'non_interactive' })
    await api.clientGrants.create({
      client_id: poor.client_id!,
      audience: `${world.env.origin}/api/v2/`,
      scope: ['read:roles'],
    })
    const limited = new ManagementClient({
      domain: world.options.domain,
      clientId: poor.client_id!,
      clientSecret: poor.client_secret!,
    })
    await all(limited.roles.list())
    await refused(limited.roles.create({ name: 'No' }), Management.ForbiddenError, of(403, 'insufficient_scope'))
    const stranger = new ManagementClient({ domain: world.options.domain, token: 'no.such.token' })
    await assert.rejects(Promise.resolve(stranger.roles.get('rol_x')), Management.UnauthorizedError)
    await api.clients.delete(poor.client_id!)
  })

  test('what is sent too often waits as long as it is told, and then goes on', async () => {
    const world = await startSdkWorld({ managementRate: { requests: 2, seconds: 4 } })
    try {
      const seen: number[] = []
      const api = new ManagementClient({
        ...world.options,
        fetch: async (...request) => {
          const answer = await fetch(...request)
          seen.push(answer.status)
          return answer
        },
      })
      for (let index = 0; index < 3; index++) await all(api.roles.list())
      // A wait of its own choice, half a second at first, would have met the limit again.
      assert.deepEqual(seen.slice(-4), [200, 200, 429, 200])
      const impatient = new ManagementClient({ ...world.options, maxRetries: 0 })
      const calls = Promise.all([1, 2, 3].map(() => impatient.roles.list()))
      await assert.rejects(calls, Management.TooManyRequestsError)
    } finally {
      await world.close()
    }
  })

  test('lists of several pages come whole, by page number and by checkpoint', async () => {
    const { api } = open()
    const names = Array.from({ length: 7 }, (_, index) => `walk-${index}`)
    const [roles, connections] = [new Set<string>(), new Set<string>()]
    for (const name of names) {
      roles.add((await api.roles.create({ name })).id!)
      connections.add((await api.connections.create({ name, strategy: 'auth0' })).id!)
    }
    const ours = (rows: { name?: string }[]) => rows.map(({ name }) => name!).filter((name) => /^walk-/.test(name))
    assert.deepEqual(ours(await all(api.roles.list({ per_page: 2 }))).toSorted(), names)
    assert.deepEqual(ours(await all(api.connections.list({ take: 3 }))).toSorted(), names)
    for (const id of roles) await api.roles.delete(id)
    for (const id of connections) await api.connections.delete(id)
  })

  test(`${MANY} organizations and ${MANY} members are walked without loss or repeat`, async () => {
    const world = await startSdkWorld()
    try {
      const api = new ManagementClient(world.options)
      await load(world)
      const organizations = await all(api.organizations.list({ take: 100 }))
      assert.deepEqual(
        organizations.map(({ name }) => name).toSorted(),
        Array.from({ length: MANY }, (_, index) => `many-${index}`).toSorted(),
      )
      const crowd = await api.organizations.getByName('many-0')
      // As many on a page as the SDK asks for by itself.
      const members = await all(api.organizations.members.list(crowd.id!))
      assert.deepEqual(
        members.map(({ user_id }) => user_id).toSorted(),
        Array.from({ length: MANY }, (_, index) => `auth0|many${index}`).toSorted(),
      )
      const found = await all(api.organizations.search({ q: 'name:many-1*', take: 50 }))
      const expected = organizations.filter(({ name }) => name!.startsWith('many-1'))
      assert.deepEqual(found.map(({ id }) => id).toSorted(), expected.map(({ id }) => id).toSorted())
    } finally {
      await world.close()
    }
  })
}

async function load({ identity, env }: Awaited<ReturnType<typeof startSdkWorld>>): Promise<void> {
  const connection = (await env.manage('POST', '/connections', { name: 'many', strategy: 'auth0' })).json.id
  await identity.database.acrossEnvironments('test: many rows', (sql) =>
    sql.begin(async (tx) => {
      await tx`select set_config('tenantry.environment_id', ${env.id}, true)`
      await tx`insert into organizations (environment_id, organization_id, name, display_name, created_at)
        select ${env.id}, 'org_' || left(md5('many' || n), 16), 'many-' || n, 'Many ' || n, now()
        from generate_series(0, ${MANY - 1}::int) n`
      await tx`insert into users (environment_id, user_id, connection_id, email, name, nickname, created_at)
        select ${env.id}, 'auth0|many' || n, ${connection}, 'many' || n || '@example.test', 'Many ' || n, 'many' || n, now()
        from generate_series(0, ${MANY - 1}::int) n`
      await tx`insert into members (environment_id, organization_id, user_id)
        select ${env.id}, 'org_' || left(md5('many0'), 16), 'auth0|many' || n from generate_series(0, ${MANY - 1}::int) n`
    }),
  )
}
