/**
 * postgres.js, with the faults of its release 3.4.9 mended that matter when a connection dies. All of them come down to
 * one thing: the driver goes on using a connection's object after its socket is gone. It then
 *
 * - dies of a TypeError that nobody can catch (porsager/postgres #1066, #1154, #1208),
 * - never writes again on that connection, because a cancelled timer is still remembered,
 * - answers a statement that was never sent with an empty result, or with the error of the one before,
 * - lets a transaction that has lost its connection speak on the successor, inside SOMEBODY ELSE's transaction and scope.
 *
 * The release is pinned, and its text is mended while it is loaded: unlike a patch below node_modules this cannot be
 * forgotten by an installation, and a release that these corrections do not fit is refused.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type postgresDriver from 'postgres'

interface Correction {
  why: string
  find: string
  put: string
}

const CONNECTION: Correction[] = [
  {
    // Not in the same turn: whoever tries again without a pause would keep the loop from ever hearing of the end.
    why: 'A statement for a connection that is gone fails. Between the socket’s error and its end it would be lost.',
    find: "    if (terminated)\n      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))",
    put: `    if (terminated)
      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))

    if (!socket || socket.destroyed)
      return setImmediate(queryError, q, Errors.connection('CONNECTION_CLOSED', options)), true`,
  },
  {
    why: 'The handshake writes after awaiting, by when the socket may be gone.',
    find: '    const x = socket.write(chunk, fn)',
    put: '    if (!socket) return chunk = nextWriteTimer = null, false\n    const x = socket.write(chunk, fn)',
  },
  {
    why: 'A timer that is remembered as running is never set again, so the next connection would not even say hello.',
    find: "    clearImmediate(nextWriteTimer)\n    socket.removeListener('data', data)",
    put: "    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener('data', data)",
  },
  {
    why: 'What was not answered fails, and the successor starts from nothing: no statement, no error, no rows of before.',
    find: "    if (initial)\n      return reconnect()\n\n    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))",
    put: `    const gone = Errors.connection('CONNECTION_CLOSED', options, socket)
    const unanswered = query ? [query] : []
    while (sent.length)
      unanswered.push(sent.shift())
    query = results = errorResponse = final = null
    result = new Result()
    rows = 0
    stream && (stream.destroy(gone), stream = null)
    unanswered.forEach(q => queryError(q, gone))

    if (initial)
      return reconnect()
`,
  },
  {
    why: 'The driver’s own first query may fail like any other; nobody awaits it, and the process would end.',
    find: '        return fetchArrayTypes()',
    put: '        return fetchArrayTypes().catch(noop)',
  },
  {
    why: 'Trying a statement again after its transaction has failed would run it outside, without a scope.',
    find: '            ? retry(query, errorResponse)',
    put: '            ? connection.reserved ? (delete statements[query.signature], errored(errorResponse)) : retry(query, errorResponse)',
  },
]

const POOL: Correction[] = [
  {
    why: 'Who was told that no connection could be had does not wait any more; a connection given to him would be lost.',
    find: '        const query = { reserve: resolve, reject }',
    put: '        const query = { reserve: resolve, reject: e => (queries.remove(query), reject(e)) }',
  },
  {
    why: 'A reserved connection that died is not the holder’s any more: neither to speak on, nor to give back.',
    find: '    sql.release = () => {\n      c.reserved = null\n      onopen(c)\n    }',
    put: `    let lost = null
    c.onclose = e => {
      lost = e
      while (queue.length)
        queue.shift().reject(e)
    }
    sql.release = () => {
      if (lost)
        return
      c.onclose = c.reserved = null
      onopen(c)
    }`,
  },
  {
    why: 'The same.',
    find: '    function handler(q) {\n      c.queue === full\n        ? queue.push(q)',
    put: '    function handler(q) {\n      lost\n        ? q.reject(lost)\n        : c.queue === full\n        ? queue.push(q)',
  },
  {
    why: 'The connection of a transaction that died may serve another one by the time its work goes on.',
    find: '      , connection\n      , prepare = null\n',
    put: '      , connection\n      , prepare = null\n      , lost = null\n',
  },
  {
    why: 'The same.',
    find: '        new Promise((_, reject) => connection.onclose = reject)',
    put: `        new Promise((_, reject) => connection.onclose = e => {
          lost = e
          while (queries.length)
            queries.shift().reject(e)
          reject(e)
        })`,
  },
  {
    why: 'The same.',
    find: '        q.catch(e => uncaughtError || (uncaughtError = e))\n        c.queue === full',
    put: '        q.catch(e => uncaughtError || (uncaughtError = e))\n        lost\n          ? q.reject(lost)\n          : c.queue === full',
  },
  {
    why: 'Who waits for a connection is told when none can be made, instead of one by one; and who waits to reserve one stays in the queue, which alone will serve him.',
    find: '    move(c, closed)\n    c.reserved = null',
    put: '    const failed = c.queue === connecting\n    move(c, closed)\n    c.reserved = null',
  },
  {
    why: 'The same.',
    find: '    queries.length && connect(c, queries.shift())\n  }',
    put: `    if (failed && !open.length && !busy.length && !full.length && !reserved.length)
      while (queries.length)
        queries.shift().reject(e)
    if (queries.length) {
      const query = queries.shift()
      query.reserve && queries.push(query)
      connect(c, query)
    }
  }`,
  },
]

const CORRECTIONS: Record<string, Correction[]> = { 'connection.js': CONNECTION, 'index.js': POOL }
const MARK = '?mended'

function mend(file: string, text: string): string {
  let mended = text
  for (const { why, find, put } of CORRECTIONS[basename(file)] ?? []) {
    const [before, after, ...more] = mended.split(find)
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(`A correction does not fit ${file}; install postgres 3.4.9. It was: ${why}`)
    }
    mended = before + put + after
  }
  return mended
}

async function loadDriver(): Promise<typeof postgresDriver> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const found = next(specifier, context)
      const ours = context.parentURL?.endsWith(MARK) && found.url.startsWith('file:')
      return ours ? { ...found, url: found.url + MARK } : found
    },
    load: (url, context, next) => {
      if (!url.endsWith(MARK)) return next(url, context)
      const file = fileURLToPath(url.slice(0, -MARK.length))
      return { format: 'module', shortCircuit: true, source: mend(file, readFileSync(file, 'utf8')) }
    },
  })
  try {
    const loaded = (await import(import.meta.resolve('postgres') + MARK)) as { default: typeof postgresDriver }
    return loaded.default
  } finally {
    hooks.deregister()
  }
}

/** The driver, to be used like the package itself. */
export const postgres = await loadDriver()
