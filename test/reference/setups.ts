/**
 * What single examples need besides the desk, and what must be so afterwards where they do not say it themselves; the others
 * need nothing. `skip` is the one place for an example that cannot run.
 */

import type { Desk } from './desk.ts'
import { accessSetups } from './setups/access.ts'
import { databaseSetups } from './setups/databases.ts'
import { limitAndNameSetups } from './setups/limits-and-names.ts'
import { lifeSetups } from './setups/lives.ts'
import { observationSetups } from './setups/observation.ts'
import { serverSetups } from './setups/servers.ts'
import type { Setup } from './setups/setup.ts'

export const setups = {
  ...accessSetups,
  ...databaseSetups,
  ...lifeSetups,
  ...limitAndNameSetups,
  ...observationSetups,
  ...serverSetups,
}

/** What the example of this name is given. */
export type Given<Name extends string> = Name extends keyof typeof setups
  ? (typeof setups)[Name] extends Setup<infer Names>
    ? Omit<Desk, keyof Names> & Names
    : Desk
  : Desk
