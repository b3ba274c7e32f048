/** How places for tenants are made: shared tables need none, a schema or a database of its own as the tier says. */
import {
  createProvisioning,
  type Provisioning,
  postgresDriver,
  type SiloConnectionsOptions,
  siloLogin,
  type Tx,
} from '@tenantry/tenancy'
import { type Database, migrateTenant } from '../database/database.ts'

export interface Making {
  provisioning: Provisioning
  /** How tenants' own databases are opened; undefined where none can be made. */
  silos: SiloConnectionsOptions<Tx> | undefined
}

/** Open connections to databases of tenants, over all of them: small servers allow fifty in all. */
const SILO_CONNECTIONS = 10

export function openProvisioning(database: Database): Making {
  const { owner, applicationRole, schema, openOwner, silos } = database
  // Tenants may change their plan, and then their rows move.
  const pooled = { owner, applicationRole, migrate: migrateTenant, movable: true }
  if (!silos) return { provisioning: createProvisioning(pooled), silos: undefined }
  const { administrator, openRole } = silos
  // Each database has a role of its own, whose password comes out of one secret.
  const login = siloLogin(Buffer.from(silos.secret, 'base64url'))
  return {
    provisioning: createProvisioning({ ...pooled, silos: { administrator, openOwner, login, schema } }),
    silos: {
      maxConnections: SILO_CONNECTIONS,
      // Named by `placementFor`; its role has the same name.
      open: (name) => postgresDriver(openRole(name, login(name.replace(/^tenant_/, '')))),
    },
  }
}
