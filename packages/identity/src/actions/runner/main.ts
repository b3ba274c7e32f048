/**
 * A runner process: customers' code runs here and nowhere else. It is started with an empty environment, under Node's
 * permission model, with no key, no database and no network use of its own; what it says is distrusted by its parent.
 *
 * It loads only the files of this folder and the engine, because the permission model lets it read nothing else.
 */
import { receiveLines, sendLine } from './channel.ts'
import { invoke } from './invocation.ts'
import { createIsolates } from './isolates.ts'
import type { FromRunner, RunnerCall, RunnerReply } from './messages.ts'

/** Above this the process gives up at once; its parent starts another. The isolates' own limits come long before. */
const MAX_RSS = 768 * 1024 * 1024
const MAX_CALL_CHARS = 4_000_000

const isolates = createIsolates()
const say = (message: FromRunner): void => sendLine(process.stdout, message)

async function answer(call: RunnerCall): Promise<void> {
  say({ started: call.id })
  let reply = await attempt(call)
  // An isolate that had served before may have been full of the garbage of honest runs: that is our fault, not the
  // action's, and nothing of the run has left it. A fresh isolate that runs out of memory is the action's doing.
  if (reply.retry) reply = await attempt(call)
  say({ reply: reply.reply })
}

async function attempt(call: RunnerCall): Promise<{ reply: RunnerReply; retry: boolean }> {
  const compartment = isolates.take(call.isolateKey, call.limits.memoryMb)
  const used = compartment.runs > 0
  const { outcome, reusable } = await invoke(call, compartment)
  if (reusable && call.mode === 'run') await isolates.give(compartment)
  else if (!outcome.tainted) isolates.drop(compartment)
  return { reply: { id: call.id, ...outcome }, retry: used && outcome.status === 'memory' && !outcome.tainted }
}

setInterval(() => {
  if (process.memoryUsage.rss() > MAX_RSS) process.exit(70)
}, 50)

// The parent holds the other end of stdin: when it is gone, so are we.
process.stdin.on('end', () => process.exit(0))
process.stdout.on('error', () => process.exit(0))
receiveLines(process.stdin, MAX_CALL_CHARS, {
  line: (text) => {
    const call = JSON.parse(text) as RunnerCall
    answer(call).catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
      process.exit(71)
    })
  },
  tooLong: () => process.exit(72),
})
say({ ready: true })
