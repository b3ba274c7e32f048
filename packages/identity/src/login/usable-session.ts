/** Whether the browser's sign-in will do for a request, or somebody has to sign in for it. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { FastifyRequest } from 'fastify'
import type { AuthorizationRequest } from '../oauth/authorize/request.ts'
import type { Client, Configuration } from '../oauth/configuration.ts'
import type { Session, Sessions } from './sessions.ts'

/** Who has just arrived is not asked again who they are; where somebody should have and has not, they are. */
export const afterArrival = (prompt: string[], arrived: Session | undefined): string[] =>
  arrived ? prompt.filter((value) => value === 'none' || value === 'consent') : [...prompt, 'login']

export type UsableSession = ReturnType<typeof createUsableSession>

export const createUsableSession =
  ({ sessions, configuration, clock }: { sessions: Sessions; configuration: Configuration; clock: Clock }) =>
  /**
   * The browser's sign-in, if it satisfies this request: `prompt`, `max_age` and the connections that count here.
   *
   * @param known `startedAt`: sign-ins from then on were made for this request; `arrived`: the one that was made just now;
   *   `isOther`: the person said that it is not theirs
   */
  async (
    request: FastifyRequest,
    client: Client,
    asked: AuthorizationRequest,
    organizationId: string | undefined,
    { startedAt, arrived, isOther }: { startedAt?: Date; arrived?: Session | undefined; isOther?: boolean },
  ): Promise<Session | undefined> => {
    const session = arrived ?? (await sessions.read(request))
    if (!session) return undefined
    const isNew = arrived !== undefined || (startedAt !== undefined && session.auth_time >= startedAt)
    // Such a client takes no sign-in that was not made for it.
    if (!isNew && client.sso_disabled) return undefined
    if (!isNew && asked.hinted_user_id !== undefined && session.user_id !== asked.hinted_user_id) return undefined
    if (!isNew && (isOther || ['login', 'create'].some((value) => asked.prompt.includes(value)))) return undefined
    const age = (clock.now().getTime() - session.auth_time.getTime()) / 1000
    if (!isNew && asked.max_age !== undefined && age > asked.max_age) return undefined
    const isSilent = asked.prompt.includes('none')
    if (isSilent && asked.connection === undefined) return session
    const connections = await configuration.connections(request.environment.id, client.client_id, organizationId)
    const own = connections.find(({ id }) => id === session.connection_id)
    if (asked.connection !== undefined && own?.name !== asked.connection) return undefined
    return own ? session : undefined
  }
