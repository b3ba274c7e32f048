/** Large objects, which every session of a role shares. */
import { FORBIDDEN, type Leak, t } from './test-leak.ts'

const ofOurs = (statement: string) =>
  `select ${statement} from pg_largeobject_metadata where lomowner in (select oid from pg_roles where rolname = current_user)`

export const LARGE_OBJECTS: readonly Leak[] = [
  {
    problem: 'large_objects',
    title: 'large objects that the role has made',
    object: 'large objects of @',
    anywhere: true,
    provoke: t,
    administrator: `set local role @; select lo_from_bytea(0, 'of A');`,
    mendedBy: 'administrator',
    probe: { statement: ofOurs('lo_get(oid)'), before: 1, after: 0 },
    remove: `select lo_unlink(oid) from pg_largeobject_metadata where lo_get(oid) = 'of A'`,
  },
  {
    problem: 'large_objects',
    title: 'a large object that the role was granted',
    object: 'large objects of @',
    anywhere: true,
    provoke: t,
    administrator: `select lo_from_bytea(987654321, 'of A'); grant select on large object 987654321 to @;`,
    mendedBy: 'administrator',
    probe: { statement: 'select lo_get(987654321)', before: 1, after: FORBIDDEN },
    remove: 'select lo_unlink(987654321)',
  },
]
