import { defineProblems } from '@tenantry/kernel/problem.ts'
import { present } from '../wire.ts'
import type { SessionRow } from './store.ts'

export const problems = defineProblems({
  inexistent_session: { status: 404, title: 'The session does not exist.' },
})

/** A session as the API shows it. Browsers keep its cookie across restarts, for as long as the session may last. */
export const shown = (row: SessionRow) => ({
  id: row.id,
  user_id: row.user_id,
  created_at: row.created_at,
  updated_at: row.updated_at ?? row.created_at,
  authenticated_at: row.auth_time,
  idle_expires_at: row.idle_expires_at,
  expires_at: row.expires_at,
  last_interacted_at: row.last_seen,
  device: present({
    initial_user_agent: row.user_agent,
    initial_ip: row.ip,
    last_user_agent: row.last_ip === null ? row.user_agent : row.last_user_agent,
    last_ip: row.last_ip ?? row.ip,
  }),
  clients: row.clients.map((client_id) => ({ client_id })),
  authentication: { methods: row.amr.map((name) => ({ name, timestamp: row.auth_time })) },
  cookie: { mode: 'persistent' },
  ...(row.session_metadata ? { session_metadata: row.session_metadata } : {}),
})
