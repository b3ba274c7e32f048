/**
 * postgres.js, with the faults of its release 3.4.9 mended that matter when a connection dies. All of them come down to
 * one thing: the driver goes on using a connection's object after its socket is gone. It then
 *
 * - dies of a TypeError that nobody can catch (porsager/postgres #1066, #1154, #1208),
 * - never writes again on that connection, because a cancelled timer is still remembered,
 * - answers a statement that was never sent with an empty result, or with the error of the one before,
 * - lets a transaction that has lost its connection speak on the successor, inside SOMEBODY ELSE's transaction and scope,
 *   and lets one that is over do the same on the connection that it had.
 *
 * With one that makes each statement dearer than the one before (`QUEUE`). And with one thing added that it cannot do by
 * itself: a statement in a scope as one message (`SCOPED_STATEMENT`).
 *
 * The release is pinned, and its text is mended while it is loaded: unlike a patch below node_modules this cannot be
 * forgotten by an installation, and a release that these corrections do not fit is refused.
 */
import { readFileSync } from 'node:fs'
// Renamed: what bundles applications into one module often declares the name itself, at the top of it.
import { createRequire as requireFrom } from 'node:module'
import { basename } from 'node:path'
import { compileFunction } from 'node:vm'
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
    why: 'A statement that was cancelled before it was sent leaves the connection as it was: not full, which would be forever.',
    find: '    if (q.cancelled)\n      return\n',
    put: '    if (q.cancelled)\n      return true\n',
  },
  {
    why: 'One that was cancelled after it was sent is answered like any other: passing it over gives its answer to the next.',
    find: '    while (sent.length && (query = sent.shift()) && (query.active = true, query.cancelled))\n      Connection(options).cancel(query.state, query.cancelled.resolve, query.cancelled.reject)',
    put: `    if (sent.length) {
      query = sent.shift()
      query.active = true
      query.cancelled && Connection(options).cancel(query.state, query.cancelled.resolve, query.cancelled.reject)
    }`,
  },
  {
    why: 'The end of a small COPY, written behind it, would lie for 40 ms until the other side acknowledges what was before.',
    find: '        : new net.Socket()\n',
    put: '        : new net.Socket().setNoDelay()\n',
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
    final && final(gone)
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
    why: 'A reader of COPY that was slow has paused the socket; when the rest of the copy has arrived, it does not ask for more, and the next answer would never be read.',
    find: '    stream && stream.push(null)\n    stream = null',
    put: '    stream && (stream.push(null), socket.resume())\n    stream = null',
  },
  {
    why: 'Whoever writes a COPY waits for the end of it, and would for ever if that is an error.',
    find: '    stream && (stream.destroy(err), stream = null)\n    query && queryError(query, err)',
    put: '    stream && (stream.destroy(err), stream = null)\n    final && (final(err), final = null)\n    query && queryError(query, err)',
  },
  {
    why: 'Who reserves a connection that is opened for him would wait for ever, unless the driver asks for types first.',
    find: '      initial && !initial.reserve && execute(initial)\n      options.shared.retries = retries = 0\n      initial = null\n      return\n    }',
    put: `      options.shared.retries = retries = 0
      const first = initial
      initial = null
      if (!first.reserve) {
        execute(first)
        return
      }
    }`,
  },
  {
    why: 'Of statements in one message the first is the one that is told: whether COMMIT was answered with ROLLBACK.',
    find: "        result.command = x.toString('utf8', 5, i)",
    put: "        result.command = query.options.simple && result.command || x.toString('utf8', 5, i)",
  },
  {
    why: 'Trying a statement again after its transaction has failed would run it outside, without a scope.',
    find: '            ? retry(query, errorResponse)',
    put: '            ? connection.reserved || query.options.scope ? (delete statements[query.signature], errored(errorResponse)) : retry(query, errorResponse)',
  },
]

/**
 * `options.scope` of a query: settings that travel in front of it. No Sync stands in between, so PostgreSQL runs both in one
 * implicit transaction, which it commits, or rolls back, at the end of the message. BEGIN, settings, statement and COMMIT as
 * four queries cost twice the client's CPU (270 against 130 µs) and half as much again of the server's (112 against 75).
 *
 * In front of BEGIN they are part of the transaction that it begins: an `inTenant` of one query then costs the client what a bare
 * transaction does (80 against 77 µs), and not a fourth more (109 against 86) for a statement of their own.
 */
const SCOPED_STATEMENT: Correction[] = [
  {
    why: 'The settings, prepared once on each connection, and the statement.',
    find: '  function toBuffer(q) {\n',
    put: `  function toBuffer(q) {
    return q.options.scope ? Buffer.concat([settingsOf(q), statementOf(q)]) : statementOf(q)
  }

  function settingsOf(q) {
    const values = Object.entries(q.options.scope).flat()
        , name = options.prepare ? 'scope' + values.length / 2 : ''
        , types = values.map(() => 25)
        , calls = values.flatMap((_, i) => i % 2 ? [] : 'set_config($' + (i + 1) + ',$' + (i + 2) + ',true)')
        , parse = name in statements ? [] : [Parse('select ' + calls, values, types, name)]
    name && (statements[name] = true)
    q.setting = true
    return Buffer.concat([...parse, Bind(values, types, name), b().E().str(b.N).i32(0).end()])
  }

  function statementOf(q) {
`,
  },
  {
    why: 'Their answer is nobody’s.',
    find: '  function DataRow(x) {\n',
    put: '  function DataRow(x) {\n    if (query.setting)\n      return\n\n',
  },
  {
    why: 'The same.',
    find: '  function CommandComplete(x) {\n',
    put: '  function CommandComplete(x) {\n    if (query.setting)\n      return query.setting = false\n\n',
  },
  {
    why: 'Nobody is put behind somebody else’s statement, which may wait for a lock; in a transaction of one’s own, one is.',
    find: '        && !q.describeFirst\n',
    put: '        && !q.describeFirst\n        && (!q.options.scope || connection.reserved)\n',
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
    sql.failure = null
    c.onclose = e => {
      lost = e
      while (queue.length)
        queue.shift().reject(e)
    }
    sql.release = () => {
      if (lost)
        return
      c.onclose = c.reserved = null
      lost = Errors.generic('CONNECTION_GIVEN_BACK', 'The transaction is over.')
      while (queue.length)
        queue.shift().reject(lost)
      onopen(c)
    }`,
  },
  {
    why: 'The same. And what failed is remembered, for whoever did not await it.',
    find: '    function handler(q) {\n      c.queue === full\n        ? queue.push(q)',
    put: `    function handler(q) {
      q.catch(e => sql.failure || (sql.failure = e))
      lost
        ? q.reject(lost)
        : c.queue === full
        ? queue.push(q)`,
  },
  {
    why: 'One that is cancelled while it waits for its turn is passed over; nothing would come back that gives the next its turn.',
    find: '    c.reserved = () => queue.length\n      ? c.execute(queue.shift())\n      : move(c, reserved)',
    put: '    c.reserved = () => nextOf(queue, c)',
  },
  {
    why: 'The same.',
    find: '      c.reserved = () => queries.length\n        ? c.execute(queries.shift())\n        : move(c, reserved)',
    put: '      c.reserved = () => nextOf(queries, c)',
  },
  {
    why: 'The same.',
    find: '  async function reserve() {\n',
    put: `  function nextOf(queue, c) {
    let q = null
    while (queue.length && (q = queue.shift()).cancelled)
      q = null
    q ? c.execute(q) : move(c, reserved)
  }

  async function reserve() {
`,
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
  {
    why: 'A transaction that is over has no connection: by now it may be in another one, of somebody else.',
    find: '    } catch (error) {\n      throw error\n    }\n\n    async function scope(',
    put: `    } catch (error) {
      throw error
    } finally {
      lost = lost || Object.assign(new Error('This transaction is over; its connection may serve another tenant by now.'), { code: 'TRANSACTION_OVER' })
    }

    async function scope(`,
  },
]

/**
 * A queue forgot what was taken from it only when it ran empty. That of idle connections does not, as long as one is left idle, and
 * is searched at each statement: 25 µs of a statement had become 99 after 360,000 of them, and its memory grew with them.
 */
const QUEUE: Correction[] = [
  {
    why: 'What was taken is forgotten once it is half of what is kept.',
    find: '      if (index === xs.length) {\n        index = 0\n        xs = []\n      } else {',
    put: '      if (index === xs.length || index > 32 && index * 2 > xs.length) {\n        xs = xs.slice(index)\n        index = 0\n      } else {',
  },
]

const QUERY: Correction[] = [
  {
    why: 'A connection was opened by somebody who may be another tenant; what it calls with rows runs as whoever asked for them.',
    find: 'const originCache = new Map()\n',
    put: "const { AsyncResource } = require('node:async_hooks')\n\nconst originCache = new Map()\n",
  },
  { why: 'The same.', find: 'this.forEachFn = fn\n', put: 'this.forEachFn = AsyncResource.bind(fn)\n' },
  { why: 'The same.', find: '(this.cursorFn = fn, this)', put: '(this.cursorFn = AsyncResource.bind(fn), this)' },
]

const SCOPES_KNOWN: Correction = {
  why: 'Whoever asks for a scope must be able to tell a driver that would leave it out.',
  find: '    PostgresError,\n    options,\n',
  put: '    PostgresError,\n    knowsScopes: true,\n    options,\n',
}

const CORRECTIONS: Record<string, Correction[]> = {
  'connection.js': [...CONNECTION, ...SCOPED_STATEMENT],
  'query.js': QUERY,
  'queue.js': QUEUE,
  'index.js': [...POOL, SCOPES_KNOWN],
}

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

/**
 * The package's own CommonJS build, each file mended and compiled here: at once, since a module that awaits while it is loaded
 * could not be required by applications in CommonJS, and beside the package itself, which others may have loaded as it is.
 */
function loadDriver(): typeof postgresDriver {
  const loaded = new Map<string, { exports: unknown }>()
  const load = (file: string): unknown => {
    const known = loaded.get(file)
    if (known) return known.exports
    const module = { exports: {} as unknown }
    loaded.set(file, module)
    const own = requireFrom(file)
    const near = (name: string): unknown => (name.startsWith('.') ? load(own.resolve(name)) : own(name))
    // Strict, as the same text is where it is an ES module.
    const text = `'use strict';${mend(file, readFileSync(file, 'utf8'))}`
    compileFunction(text, ['module', 'exports', 'require'], { filename: file })(module, module.exports, near)
    return module.exports
  }
  return load(requireFrom(import.meta.url).resolve('postgres')) as typeof postgresDriver
}

/** The driver, to be used like the package itself. */
export const postgres = loadDriver()
