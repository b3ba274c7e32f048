/**
 * A runner process: customers' code runs here and nowhere else. It is started with an empty environment, under Node's
 * permission model, with no key, no database and no network use of its own. What an Action calls is called by its parent,
 * which distrusts whatever it says.
 *
 * It loads only the files of this folder and the engine, because the permission model lets it read nothing else.
 */
import { receiveLines, sendLine } from './channel.ts'
import { invoke } from './invocation.ts'
import { createIsolates } from './isolates.ts'
import type { FromRunner, PartSource, RunnerCall, RunnerReply, ToRunner } from './messages.ts'

/** Above this the process gives up at once; its parent starts another. The isolates' own limits come long before. */
const MAX_RSS = 768 * 1024 * 1024
const MAX_CALL_CHARS = 4_000_000

const isolates = createIsolates()
const say = (message: FromRunner): void => sendLine(process.stdout, message)

const parts = new Map<string, PartSource>()
/** Calls to the outside that the server has not answered, by run and number. */
const asked = new Map<string, (answer: string) => void>()

async function answer(call: RunnerCall): Promise<void> {
  say({ started: call.id })
  let reply = await attempt(call)
  // An isolate that had served before may have been full of the garbage of honest runs: that is our fault, not the
  // action's, and nothing of the run has left it. A fresh isolate that runs out of memory is the action's doing.
  if (reply.retry) reply = await attempt(call)
  say({ reply: reply.reply })
}

async function attempt(call: RunnerCall): Promise<{ reply: RunnerReply; retry: boolean }> {
  const needed = call.parts.map((name) => parts.get(name)!)
  const compartment = isolates.take(call.isolateKey, call.limits.memoryMb, needed)
  const used = compartment.runs > 0
  const { outcome, reusable, calledOut } = await invoke(call, compartment, {
    call(number, request) {
      say({ call: { id: call.id, call: number, request } })
      return new Promise((settle) => asked.set(`${call.id} ${number}`, settle))
    },
    drop(number) {
      asked.delete(`${call.id} ${number}`)
      say({ drop: { id: call.id, call: number } })
    },
  })
  for (const key of asked.keys()) if (key.startsWith(`${call.id} `)) asked.delete(key)
  if (reusable && call.mode === 'run') await isolates.give(compartment)
  else if (!outcome.tainted) isolates.drop(compartment)
  return {
    reply: { id: call.id, ...outcome },
    retry: used && !calledOut && outcome.status === 'memory' && !outcome.tainted,
  }
}

setInterval(() => {
  if (process.memoryUsage.rss() > MAX_RSS) process.exit(70)
}, 50)

// The parent holds the other end of stdin: when it is gone, so are we.
process.stdin.on('end', () => process.exit(0))
process.stdout.on('error', () => process.exit(0))
receiveLines(process.stdin, MAX_CALL_CHARS, {
  line: (text) => {
    const message = JSON.parse(text) as ToRunner
    if ('part' in message) parts.set(message.part.name, message.part)
    else if ('answer' in message) {
      const { id, call, answer } = message.answer
      const key = `${id} ${call}`
      // Of a run that has ended nobody asks any more.
      asked.get(key)?.(answer)
      asked.delete(key)
    } else
      answer(message.run).catch((error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
        process.exit(71)
      })
  },
  tooLong: () => process.exit(72),
})
say({ ready: true })
