/** A program that moves one tenant and dies in between: by SIGKILL from outside, or right before the placement is switched. */
import type { Sql } from 'postgres'
import { postgres } from '../postgres/driver.ts'
import { moveTenant } from './move.ts'
import type { Placement } from './placement.ts'

const { control: controlSchema, schema, tenantId, to, dieBeforeSwitch } = JSON.parse(process.argv[2] ?? '{}')
const { owner } = JSON.parse(process.env.TENANTRY_TEST_DATABASE ?? '{}') as { owner: string }
const open = (name?: string): Sql => {
  const url = new URL(owner)
  if (name) url.pathname = `/${name}`
  return postgres(url.href, { max: 2, onnotice: () => {} }) as unknown as Sql
}

/** Dies where the control plane is told of the new placement, when both ends have been committed. */
const deadly = (sql: Sql): Sql =>
  new Proxy(sql, {
    get: (target, name) =>
      name === 'reserve'
        ? async () => {
            const reserved = await target.reserve()
            return new Proxy(reserved, {
              get(target, name) {
                const member = Reflect.get(target, name)
                if (name !== 'unsafe') return member
                return (text: string) => {
                  if (text.includes('set placement')) process.kill(process.pid, 'SIGKILL')
                  return member(text)
                }
              },
            })
          }
        : Reflect.get(target, name),
  })

const control = open()
await moveTenant(
  {
    control: dieBeforeSwitch ? deadly(control) : control,
    controlSchema,
    schema,
    openOwner: (placement: Placement) => open(placement.model === 'silo' ? placement.database : undefined),
  },
  tenantId,
  to,
)
await control.end()
