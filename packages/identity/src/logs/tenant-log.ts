/**
 * The tenant log: what happened in an environment, who did it and from where, for the environment's own people. (What
 * operators of the installation read is the process's log.)
 *
 *   add      gathered for a tenth of a second and written together; nobody waits
 *   record   resolves when the entry is stored; writes of the Management API are answered only then
 *
 * Both go through one queue per environment: while one statement is under way, what comes meanwhile waits for the next,
 * so a thousand sign-ins a second cost a few inserts.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { FastifyRequest } from 'fastify'
import type { RequestEnvironment } from '../environments/environment.ts'
import { LOG_TYPES, type LogType } from './log-types.ts'
import { cut, redacted } from './redact.ts'
import * as store from './store.ts'

/** Members are Auth0's; `description` defaults to the sentence of the type. */
export interface LogEntry extends Partial<Omit<store.LogRow, 'date' | 'type'>> {
  type: LogType
}

export interface TenantLog {
  add(environmentId: string, entry: LogEntry): void
  /** Never rejects: what was done stays done when only its entry could not be written, and the process's log says so. */
  record(environmentId: string, entry: LogEntry): Promise<void>
  /** Writes what is gathered. */
  close(): Promise<void>
}

const GATHER_MS = 100
const RETRY_MS = 1000
const BATCH = 500
/** With the database away entries wait; past this many the oldest are given up. */
const MAXIMUM_WAITING = 20_000

type NewRow = Partial<store.LogRow> & { date: string }

interface Queue {
  /** `stored` is for those that somebody waits for. */
  waiting: { entry: LogEntry; at: Date; stored?: () => void }[]
  timer: NodeJS.Timeout | undefined
  writing: Promise<void> | undefined
}

export function createTenantLog(deps: { database: Database; clock: Clock; logger: Logger }): TenantLog {
  const queues = new Map<string, Queue>()
  let closed = false

  const queueOf = (environmentId: string): Queue => {
    const queue = queues.get(environmentId) ?? { waiting: [], timer: undefined, writing: undefined }
    queues.set(environmentId, queue)
    return queue
  }

  const enqueue = (environmentId: string, entry: LogEntry, stored?: () => void): Queue => {
    const queue = queueOf(environmentId)
    // Its row is made when it is written: the time of a refusal must not tell that there is somebody to write about (CWE-208).
    queue.waiting.push({ entry, at: deps.clock.now(), ...(stored ? { stored } : {}) })
    return queue
  }

  function write(environmentId: string, queue: Queue): Promise<void> {
    clearTimeout(queue.timer)
    queue.timer = undefined
    queue.writing ??= drain(environmentId, queue).then((pause) => {
      queue.writing = undefined
      if (queue.waiting.length === 0) queues.delete(environmentId)
      else if (!closed) later(environmentId, queue, pause)
    })
    return queue.writing
  }

  function later(environmentId: string, queue: Queue, milliseconds: number): void {
    queue.timer ??= setTimeout(() => void write(environmentId, queue), milliseconds)
  }

  /** What came meanwhile is gathered again, unless it fills a batch or somebody waits for it. @returns the pause until then */
  async function drain(environmentId: string, queue: Queue): Promise<number> {
    const isUrgent = () => queue.waiting.length >= BATCH || closed || queue.waiting.some(({ stored }) => stored)
    while (queue.waiting.length > 0) {
      const batch = queue.waiting.splice(0, BATCH)
      try {
        await deps.database.once(environmentId, (tx) =>
          store.append(
            tx,
            environmentId,
            batch.map(({ entry, at }) => rowOf(entry, at)),
          ),
        )
      } catch (err) {
        deps.logger.error({ err, environment: environmentId, entries: batch.length }, 'the tenant log was not written')
        // A refusal is for good (the environment is gone); a database that is away is asked again.
        const again = (err as { code?: string }).code === 'temporarily_unavailable' && !closed
        const kept = again ? batch.slice(Math.max(0, batch.length + queue.waiting.length - MAXIMUM_WAITING)) : []
        queue.waiting.unshift(...kept)
        for (const { stored } of batch) stored?.()
        return RETRY_MS
      }
      for (const { stored } of batch) stored?.()
      if (!isUrgent()) break
    }
    return GATHER_MS
  }

  return {
    add(environmentId, entry) {
      const queue = enqueue(environmentId, entry)
      if (!queue.writing) later(environmentId, queue, GATHER_MS)
    },
    record(environmentId, entry) {
      return new Promise((resolve) => {
        const queue = enqueue(environmentId, entry, resolve)
        void write(environmentId, queue)
      })
    },
    async close() {
      closed = true
      await Promise.all([...queues].map(([environmentId, queue]) => write(environmentId, queue)))
    },
  }
}

/** What an entry tells of the one who asked. */
export const asker = (request: FastifyRequest & { environment: RequestEnvironment }) => ({
  ip: request.ip,
  user_agent: request.headers['user-agent'] ?? null,
  hostname: request.environment.origin.slice(request.environment.origin.indexOf('//') + 2),
})

const LONGEST = 512

function rowOf(entry: LogEntry, now: Date): NewRow {
  const row: Record<string, unknown> = {
    description: LOG_TYPES[entry.type].description,
    ...entry,
    date: now.toISOString(),
  }
  for (const name in row) {
    const value = row[name]
    if (typeof value === 'string') row[name] = cut(value, LONGEST)
  }
  if (entry.details !== undefined) row.details = redacted(entry.details)
  return row as NewRow
}
