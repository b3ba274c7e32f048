import { Exact, Nullable } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Texts } from '../metadata.ts'
import { Timestamp } from '../wire.ts'

export const Session = Type.Object({
  id: Type.String(),
  user_id: Type.String(),
  created_at: Timestamp,
  updated_at: Timestamp,
  authenticated_at: Timestamp,
  idle_expires_at: Timestamp,
  expires_at: Timestamp,
  last_interacted_at: Timestamp,
  device: Type.Object({
    initial_user_agent: Type.Optional(Type.String()),
    initial_ip: Type.Optional(Type.String()),
    last_user_agent: Type.Optional(Type.String()),
    last_ip: Type.Optional(Type.String()),
  }),
  clients: Type.Array(Type.Object({ client_id: Type.String() })),
  authentication: Type.Object({ methods: Type.Array(Type.Object({ name: Type.String(), timestamp: Timestamp })) }),
  cookie: Type.Object({ mode: Type.String() }),
  session_metadata: Type.Optional(Texts),
})

/** What is given replaces all; null and {} leave nothing. */
export const UpdateSession = Exact({ session_metadata: Type.Optional(Nullable(Texts)) })

export const SessionId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })
