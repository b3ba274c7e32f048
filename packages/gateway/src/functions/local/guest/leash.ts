import process from 'node:process'
import { Worker } from 'node:worker_threads'

// Plain JavaScript, so that the thread need not load what understands anything else: it costs 4 MB.
const watch = `
const { Socket } = require('node:net')
const end = () => {
  try { process.kill(-process.pid, 'SIGKILL') } catch { process.kill(process.pid, 'SIGKILL') }
}
new Socket({ fd: require('node:worker_threads').workerData }).on('end', end).on('error', end).resume()
`

/**
 * Ends this process, and all that it has started, when the other end of a pipe is closed: by a gateway that was killed
 * and could say nothing. In a thread of its own, because a function in a loop never comes to hear of it.
 *
 * @param fd nothing is ever written to it
 */
export function endWith(fd: number): void {
  const thread = new Worker(watch, {
    eval: true,
    workerData: fd,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  // Whether there is something left to do is for the function alone to say.
  thread.unref()
  thread.on('error', (error) => {
    process.stderr.write(`nobody watches whether the gateway lives: ${error.message}\n`)
  })
}
