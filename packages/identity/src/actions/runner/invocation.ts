import type { Compartment, Realm } from './isolates.ts'
import { nextRealm } from './isolates.ts'
import type { RunnerCall, RunnerReply } from './messages.ts'
import { Stopped, type Watch, watch } from './watchdog.ts'

const MAX_LOG_CHARS = 1_500_000
/** Twenty entries of 4 KB with every character escaped, and keys that were deleted. */
const MAX_CACHED_CHARS = 100_000
const ACTION_FILE = 'action.js'

type Outcome = Omit<RunnerReply, 'id'>

const failed = (status: RunnerReply['status'], detail: string, logs = ''): Outcome => ({
  status,
  output: '',
  cached: '',
  logs,
  detail,
  tainted: false,
})

/** The text of an error that crossed the boundary: the message, then the frames of the customer's own file. */
const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return 'The action threw a value that is not an Error.'
  return (error.stack ?? String(error)).slice(0, 8192)
}

/**
 * A line that the server reads holds it with every character escaped: two for most of those, six for one that no JSON has as it
 * is. The guest may write what it likes, and a line that is too long would be the end of everybody's process.
 */
const MAX_REQUEST_CHARS = 1_900_000
const MAX_REQUEST_ESCAPED = 3_900_000

const isTooLarge = (request: string): boolean =>
  request.length > MAX_REQUEST_CHARS ||
  (request.length > MAX_REQUEST_ESCAPED / 6 && JSON.stringify(request).length > MAX_REQUEST_ESCAPED)

interface Outside {
  send(request: string): void
  /** What the guest says it does not wait for any more: only of a call that there is, once, does the server hear. */
  drop(number: number): void
  /** Resolves when an answer is there. */
  arrival(): Promise<void>
  take(): string | undefined
  used(): boolean
}

/** The calls of one run. What must not be sent is answered here. */
function createOutside(most: number, callOut: CallOut): Outside {
  const arrived: string[] = []
  const open = new Set<number>()
  let calls = 0
  let wake = () => {}
  const refusal = (request: string): string | undefined => {
    if (calls > most) return `an Action may call out ${most} times in a run`
    return isTooLarge(request) ? 'the request is too large' : undefined
  }
  return {
    send(request) {
      const number = ++calls
      const settle = (answer: string): void => {
        open.delete(number)
        arrived.push(`${number} ${answer}`)
        wake()
      }
      const error = refusal(request)
      if (error) settle(JSON.stringify({ error }))
      else {
        open.add(number)
        void callOut.call(number, request).then(settle)
      }
    },
    drop(number) {
      if (open.delete(number)) callOut.drop(number)
    },
    arrival: () =>
      arrived.length > 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            wake = resolve
          }),
    take: () => arrived.shift(),
    used: () => calls > 0,
  }
}

/** Hands a call of the guest's to the server; numbered in the run, from 1. Both texts are JSON that nobody reads here. */
export interface CallOut {
  call(number: number, request: string): Promise<string>
  drop(number: number): void
}

/**
 * One call in one isolate. Never throws; says whether the isolate may be used again, and whether the action has called
 * out: then it must not be run a second time.
 */
export async function invoke(
  call: RunnerCall,
  compartment: Compartment,
  callOut: CallOut,
): Promise<{ outcome: Outcome; reusable: boolean; calledOut: boolean }> {
  let realm: Realm
  let dog: Watch
  try {
    realm = await nextRealm(compartment)
    dog = watch(compartment.isolate, call.limits)
  } catch (error) {
    return { outcome: failed('memory', explain(error)), reusable: false, calledOut: false }
  }
  compartment.onCatastrophe = dog.catastrophe
  const outside = createOutside(call.limits.calls, callOut)
  let outcome: Outcome
  try {
    outcome = await converse(call, compartment, realm, dog, outside)
  } catch (error) {
    const kind = error instanceof Stopped ? error.kind : 'error'
    outcome = failed(kind, error instanceof Stopped ? error.message : explain(error))
  }
  const tainted = await dog.end()
  compartment.onCatastrophe = () => {}
  const reusable = !tainted && !compartment.isolate.isDisposed
  if (reusable) {
    realm.entry.release()
    realm.context.release()
  }
  return { outcome: { ...outcome, tainted }, reusable, calledOut: outside.used() }
}

async function converse(
  call: RunnerCall,
  compartment: Compartment,
  realm: Realm,
  dog: Watch,
  outside: Outside,
): Promise<Outcome> {
  /** Every answer must be a string: an object of the guest's making never crosses (it would arrive as undefined). */
  const ask = async (operation: string, argument = ''): Promise<string> => {
    const answer: unknown = await dog.step(() => realm.entry.apply(undefined, [operation, argument]))
    if (typeof answer !== 'string') throw new Stopped('invalid_output', 'The action broke the runtime it ran in.')
    return answer
  }
  const logs = async (): Promise<string> => {
    const text = await ask('logs')
    return text.length > MAX_LOG_CHARS ? '' : text
  }

  await ask('prepare', call.payload)
  try {
    // The trailing statement makes the completion value undefined, so that no large string is copied out.
    compartment.script ??= await dog.step(() =>
      compartment.isolate.compileScript(`${call.code}\n;void 0`, { filename: ACTION_FILE }),
    )
    const { script } = compartment
    await dog.step(() => script.run(realm.context))
  } catch (error) {
    if (error instanceof Stopped) throw error
    return failed('error', explain(error), await logs())
  }

  if (call.mode === 'check') {
    const missing = await ask('check')
    return missing ? failed('error', missing) : { ...failed('ok', ''), output: '[]' }
  }

  await ask('start')
  // Each step ends only when the microtask queue is empty, so the status says whether anything can still happen.
  let status = await ask('status')
  for (;;) {
    if (status.startsWith('call:')) outside.send(status.slice(5))
    else if (status.startsWith('drop:')) outside.drop(Number(status.slice(5)))
    else if (status.startsWith('wait:')) {
      const timer = status.slice(5)
      await dog.pause(timer === '' ? undefined : Number(timer) || 0, outside.arrival())
      const answer = outside.take()
      await (answer === undefined ? ask('tick') : ask('answer', answer))
    } else break
    status = await ask('status')
  }
  if (status === 'stuck') return failed('error', 'The action waits for a promise that can never settle.', await logs())
  if (status !== 'done' && status !== 'kept') return failed('error', await ask('failure'), await logs())
  const output = await ask('output')
  if (output === '' || output.length > call.limits.outputChars) {
    return failed(
      'invalid_output',
      `The commands of the action are larger than ${call.limits.outputChars} characters.`,
      await logs(),
    )
  }
  const cached = status === 'kept' ? await ask('cached') : ''
  return { ...failed('ok', ''), output, cached: cached.length > MAX_CACHED_CHARS ? '' : cached, logs: await logs() }
}
