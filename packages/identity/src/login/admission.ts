/**
 * A proven person at the door: may they enter? Connection, membership and blocking are asked here, on the server, for
 * pages, the silent way and every grant that signs somebody in without a page.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import type { LogEntry, TenantLog } from '../logs/tenant-log.ts'
import type { Client, Configuration, Connection } from '../oauth/configuration.ts'
import { requireConnection } from '../oauth/connection.ts'
import { subject as readSubject, type Subject } from '../oauth/grant-store.ts'
import { refuseSubject } from '../oauth/token/grants/subject.ts'
import { isPasswordless } from '../resources/connections/passwordless.ts'
import * as members from '../resources/organizations/members/store.ts'

export interface AdmissionDependencies {
  database: Database
  configuration: Configuration
  tenantLog: TenantLog
}

export interface Arrival {
  environment: RequestEnvironment
  client: Client
  userId: string
  /** The one that they came through. */
  connectionId: string
  organizationId: string | undefined
  resourceServerIdentifier: string | undefined
  /** The entry of this sign-in in the tenant log, which learns who it is. */
  about: Partial<LogEntry>
}

/** @throws Problem `access_denied` or `unauthorized`; whoever is no member becomes one where the connection says so */
export async function admit(
  deps: AdmissionDependencies,
  arrival: Arrival,
): Promise<{ connection: Connection; subject: Subject }> {
  const { environment, client, userId, connectionId, organizationId, resourceServerIdentifier, about } = arrival
  const connection = await requireConnection(deps.configuration, environment.id, {
    client_id: client.client_id,
    organization_id: organizationId ?? null,
    connection_id: connectionId,
  })
  const read = async () => {
    const rows = await deps.database.once(environment.id, (tx) =>
      readSubject(tx, userId, organizationId ?? null, resourceServerIdentifier ?? null),
    )
    return rows[0]!
  }
  let subject: Subject = await read()
  const joinable = subject.organization && !subject.is_suspended
  if (organizationId && !subject.is_member && connection.assign_membership_on_login && joinable) {
    await deps.database.inOrganization(environment.id, organizationId, (tx) =>
      members.add(tx, environment.id, organizationId, [userId]),
    )
    deps.tenantLog.add(environment.id, { type: 'organization_member_added', ...about })
    subject = await read()
  }
  Object.assign(about, {
    connection: connection.name,
    strategy: connection.strategy,
    strategy_type: isPasswordless(connection.strategy) ? 'passwordless' : 'database',
    user_name: subject.user?.email ?? subject.user?.name ?? null,
    organization_name: subject.organization?.name ?? null,
  })
  refuseSubject({ ...subject, user_id: userId, organization_id: organizationId ?? null })
  return { connection, subject }
}
