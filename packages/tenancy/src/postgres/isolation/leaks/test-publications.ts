/** Publications that hand on what tenants wrote. */
import { type Leak, partitioned, t } from './test-leak.ts'

export const PUBLICATIONS: readonly Leak[] = [
  {
    problem: 'published',
    title: 'a publication of a table',
    object: '@schema_feed',
    anywhere: true,
    provoke: `${t} create publication "@schema_feed" for table t;`,
  },
  {
    problem: 'published',
    title: 'a publication of a partitioned table, and so of its partitions',
    object: '@schema_feed',
    anywhere: true,
    provoke: `${partitioned('tenant_id, id, at')} create publication "@schema_feed" for table t;`,
  },
  {
    problem: 'published',
    title: 'a publication of a schema',
    object: '@schema_feed',
    anywhere: true,
    provoke: t,
    administrator: `create publication "@schema_feed" for tables in schema "@schema";`,
    mendedBy: 'administrator',
    remove: 'drop publication "@schema_feed"',
  },
]
