/**
 * A supervised PostgreSQL of our own: a real server from npm's binaries, in a directory, for one process.
 *
 *   const postgres = await startEmbedded({ directory: '.tenantry/postgres' })
 *   const database = await createDatabase({ urls: postgres.urls })
 *   …
 *   await postgres.stop()
 *
 * In the order of what happens: the directory is locked (embedded/lock.ts); the place and the account are found
 * (place.ts); the cluster is created once (cluster.ts); the server runs (postmaster.ts) and is started again if it
 * dies. The server listens on a Unix socket in a directory of mode 0700 and asks for passwords even there; where
 * there are no such sockets, on loopback. Whoever starts it stops it: SIGINT, SIGTERM and SIGHUP are the caller's.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { DatabaseUrls } from './database.ts'
import { findBinaries } from './embedded/binaries.ts'
import { completeCluster, createCluster, keepPasswords } from './embedded/cluster.ts'
import { lockDirectory } from './embedded/lock.ts'
import { findPlace, type Place } from './embedded/place.ts'
import { type Postmaster, startPostmaster, type Transport } from './embedded/postmaster.ts'
import { problems } from './embedded/problems.ts'

export interface EmbeddedOptions {
  /** Made when missing; holds everything, also the passwords. */
  directory: string
  logger?: EmbeddedLogger
  /** Hears of the steps that take a noticeable time. */
  progress?: (step: string) => void
  /** Loopback TCP is for systems without Unix sockets. */
  transport?: Transport
  /** Where data and binaries go when an unprivileged account cannot reach the directory. */
  systemPlace?: string
}

/** The part of pino's logger that is used. */
export interface EmbeddedLogger {
  info(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface EmbeddedPostgres {
  urls: DatabaseUrls
  /** The server's own log, for messages that point to it. */
  logFile: string
  /** Fast shutdown; resolves, as often as called, when the server has ended and the directory is free. */
  stop(): Promise<void>
}

const silent: EmbeddedLogger = { info: () => {}, error: () => {} }
const transportHere: Transport = process.platform === 'win32' ? 'tcp' : 'socket'

/**
 * Starts the server, on first use with a new cluster, and resolves when the database `tenantry` answers.
 *
 * @throws embedded_locked when another process has the directory, embedded_failed with PostgreSQL's own log.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { logger = silent, progress = () => {}, transport = transportHere, systemPlace } = options
  const directory = resolve(options.directory)
  const lock = open(directory)
  try {
    const passwords = keepPasswords(directory)
    const place = findPlace(directory, findBinaries(), systemPlace)
    if (!existsSync(place.data)) {
      progress('Creating the database')
      await createCluster(place, passwords)
    }
    progress('Starting PostgreSQL')
    const postmaster = await startPostmaster(place, transport)
    try {
      const urls = await completeCluster(postmaster.endpoint, passwords)
      const stop = supervise(place, transport, postmaster, logger)
      logger.info({ data: place.data }, 'PostgreSQL is running')
      let stopped: Promise<void> | undefined
      return {
        urls,
        logFile: place.log,
        stop: () => {
          stopped ??= stop().finally(lock.release)
          return stopped
        },
      }
    } catch (cause) {
      await postmaster.stop()
      throw cause
    }
  } catch (cause) {
    lock.release()
    throw cause
  }
}

function open(directory: string) {
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw problems.embedded_unreadable({ facts: { directory, reason: (cause as Error).message }, cause })
  }
  return lockDirectory(directory)
}

const LONGEST_PAUSE_MS = 10_000

/**
 * Starts the server again when it ends by itself (the kernel's out-of-memory killer, an operator's mistake), at the
 * same address, so pooled connections find it. Clients see errors in between, never a wrong answer.
 */
function supervise(place: Place, transport: Transport, first: Postmaster, logger: EmbeddedLogger): () => Promise<void> {
  let current = first
  const stopping = new AbortController()
  const watch = async () => {
    for (let pause = 100; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await current.ended
      if (stopping.signal.aborted) return
      logger.error({ log: place.log }, 'PostgreSQL ended unexpectedly; starting it again')
      await wait(pause, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      try {
        current = await startPostmaster(place, transport, first.endpoint.port)
        logger.info({ data: place.data }, 'PostgreSQL is running again')
        pause = 100
      } catch (error) {
        logger.error({ err: error }, 'PostgreSQL could not be started again')
      }
    }
  }
  const watching = watch()
  return async () => {
    stopping.abort()
    await current.stop()
    await watching
    // A restart that was under way when the stop came has made another one.
    await current.stop()
  }
}
