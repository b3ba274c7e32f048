import type { Compartment, Realm } from './isolates.ts'
import { nextRealm } from './isolates.ts'
import type { RunnerCall, RunnerReply } from './messages.ts'
import { Stopped, type Watch, watch } from './watchdog.ts'

const MAX_LOG_CHARS = 1_500_000
const ACTION_FILE = 'action.js'

type Outcome = Omit<RunnerReply, 'id'>

const failed = (status: RunnerReply['status'], detail: string, logs = ''): Outcome => ({
  status,
  output: '',
  logs,
  detail,
  tainted: false,
})

/** The text of an error that crossed the boundary: the message, then the frames of the customer's own file. */
const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return 'The action threw a value that is not an Error.'
  return (error.stack ?? String(error)).slice(0, 8192)
}

/** One call in one isolate. Never throws; says whether the isolate may be used again. */
export async function invoke(
  call: RunnerCall,
  compartment: Compartment,
): Promise<{ outcome: Outcome; reusable: boolean }> {
  let realm: Realm
  let dog: Watch
  try {
    realm = await nextRealm(compartment)
    dog = watch(compartment.isolate, call.limits)
  } catch (error) {
    return { outcome: failed('memory', explain(error)), reusable: false }
  }
  compartment.onCatastrophe = dog.catastrophe
  let outcome: Outcome
  try {
    outcome = await converse(call, compartment, realm, dog)
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
  return { outcome: { ...outcome, tainted }, reusable }
}

async function converse(call: RunnerCall, compartment: Compartment, realm: Realm, dog: Watch): Promise<Outcome> {
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
  while (status.startsWith('wait:')) {
    await dog.pause(Number(status.slice(5)) || 0)
    await ask('tick')
    status = await ask('status')
  }
  if (status === 'stuck') return failed('error', 'The action waits for a promise that can never settle.', await logs())
  if (status !== 'done') return failed('error', await ask('failure'), await logs())
  const output = await ask('output')
  if (output === '' || output.length > call.limits.outputChars) {
    return failed(
      'invalid_output',
      `The commands of the action are larger than ${call.limits.outputChars} characters.`,
      await logs(),
    )
  }
  return { ...failed('ok', ''), output, logs: await logs() }
}
