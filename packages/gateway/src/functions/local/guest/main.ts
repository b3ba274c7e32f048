/**
 * Runs in a function's own process: loads its handler once and invokes it for one event after the other, as Lambda's
 * runtime for Node does. Started with the handler's file and name; nothing here knows more of the gateway than the pipe.
 */
import { Socket } from 'node:net'
import process from 'node:process'
import { payloadLimits } from '../../functions.ts'
import { type FromFunction, readFrames, type ToFunction, writeFrame } from '../frames.ts'
import { captureConsole } from './console.ts'
import { describeError } from './errors.ts'
import { createInvoker } from './invocation.ts'
import { endWith } from './leash.ts'
import { type Handler, loadHandler } from './load.ts'

endWith(4)
const pipe = new Socket({ fd: 3 })
const [file = '', name = ''] = process.argv.slice(2)
const send = (head: FromFunction, text: string, done?: () => void): void => writeFrame(pipe, head, text, done)

const end = (type: 'crash' | 'init', error: unknown): void => {
  // Whatever the function left running must not keep the process: it is in no known state.
  send({ type }, describeError(error), () => process.exit(1))
  setTimeout(() => process.exit(1), 1_000)
}

// The gateway is gone, or wants this process to go.
pipe.on('end', () => process.exit(0))
pipe.on('error', () => process.exit(0))
process.on('uncaughtException', (error) => end('crash', error))
process.on('unhandledRejection', (error) => end('crash', error))
captureConsole((level, text) => send({ type: 'log', level }, text))

const start = (handler: Handler): void => {
  const invoke = createInvoker(handler, {
    // While an invocation lasts, what the function waits for alone decides whether there is still something to wait for.
    hold: () => pipe.ref(),
    release: () => pipe.unref(),
    result: (text) => send({ type: 'result' }, text),
    error: (error) => send({ type: 'error' }, describeError(error)),
  })
  readFrames(pipe, payloadLimits.event, {
    onFrame: (head, text) => invoke(head as ToFunction, text),
    onNonsense: () => process.exit(1),
  })
  send({ type: 'ready' }, '')
}

loadHandler(file, name).then(start, (error: unknown) => end('init', error))
