/** Child processes of the scripts: long steps with progress, and the one program that takes over. */
import { spawn } from 'node:child_process'

/** A failure whose message is all that the reader needs. */
export class Failure extends Error {}

const TAIL_LINES = 40
const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const isTerminal = process.stdout.isTTY === true
let interrupted = false

/** Runs a step to its end. Its output is shown only when it fails, and then the end of it. @throws Failure */
export async function runStep(title, command, args, options, remedy) {
  const started = performance.now()
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`
  const show = (frame) => process.stdout.write(`\r\u001b[K${FRAMES[frame % FRAMES.length]} ${title}  ${seconds()}`)
  let frame = 0
  if (!isTerminal) console.log(`${title} …`)
  const timer = isTerminal ? setInterval(() => show(frame++), 100) : undefined
  const chunks = []
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  child.stderr.on('data', (chunk) => chunks.push(chunk))
  const restore = onSignal((signal) => {
    interrupted = true
    child.kill(signal)
  })
  try {
    const code = await new Promise((done) => {
      child.once('error', (error) => {
        chunks.push(Buffer.from(`${error.message}\n`))
        done(1)
      })
      child.once('close', (code) => done(code ?? 1))
    })
    if (isTerminal) process.stdout.write('\r\u001b[K')
    if (interrupted) throw new Failure(`${title}: interrupted.`)
    if (code !== 0) {
      const tail = Buffer.concat(chunks).toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
      throw new Failure(`${tail}\n\n${title} failed. ${remedy}`)
    }
    console.log(`${isTerminal ? '✔ ' : ''}${title}: done in ${seconds()}`)
  } finally {
    clearInterval(timer)
    restore()
  }
}

/**
 * Runs what `work` names in place of this process: same terminal, signals passed on, same exit code.
 *
 * The child has a process group of its own: Ctrl-C reaches every process of the terminal's group and npm passes it on
 * once more, so the child would hear it up to three times, and take the second for impatience. Now it hears it from
 * here alone.
 */
export async function forward(work) {
  let settled
  try {
    settled = await work()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    console.error(error.message)
    process.exit(interrupted ? 130 : 1)
  }
  const { command, args, env, cwd } = settled
  // The channel tells the child when this process is gone: killed outright, it passes no signal on.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc']
  const child = spawn(command, args, { env, cwd, stdio, detached: process.platform !== 'win32' })
  let last = { signal: '', at: 0 }
  onSignal((signal) => {
    const now = performance.now()
    if (signal === last.signal && now - last.at < 500) return
    last = { signal, at: now }
    child.kill(signal)
  })
  child.once('error', (error) => {
    console.error(`${command} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.once('exit', (code, signal) => {
    if (!signal) process.exit(code)
    // End as it ended, so that whoever waits for us sees the same.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function onSignal(listener) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.removeListener(signal, listener)
  }
}
