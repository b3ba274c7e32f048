/**
 * Takes what a function's process writes no faster than the gateway can log it. A line costs the gateway a hundred times
 * what it costs its writer: read as fast as it comes, one function that prints in a loop stops every other answer, and the
 * timer that would end it (measured: a minute and more). A stream that is not read makes its writer wait, so nothing is
 * lost, and only that function is slow.
 */
import type { Readable } from 'node:stream'
import { refilled, untilToken } from '../../limits/bucket.ts'

/** What one process may say: texts, long ones counting as several. */
export interface Ration {
  spend(text: string): void
  /** Milliseconds until it may go on; 0: it may. */
  wait(): number
}

const rate = { perSecond: 5_000, burst: 500 }
const charactersPerText = 512
/** A stream is not stopped and started again for a handful of lines. */
const pauseMs = 50

/** It begins full. Texts that are there already may overdraw it; what follows them waits longer. */
export function createRation(): Ration {
  let left = rate.burst
  let at = performance.now()
  return {
    spend: (text) => {
      left -= 1 + text.length / charactersPerText
    },
    wait: () => {
      const now = performance.now()
      left = refilled(left, rate, now - at)
      at = now
      const ms = untilToken(left, rate)
      return ms === 0 ? 0 : Math.max(pauseMs, ms)
    },
  }
}

/** Stops a stream while the ration is overdrawn. @returns to be called whenever something was spent */
export function createBrake(stream: Readable, ration: Ration): () => void {
  let timer: NodeJS.Timeout | undefined
  const look = (): void => {
    timer = undefined
    const ms = ration.wait()
    if (ms === 0) {
      stream.resume()
      return
    }
    stream.pause()
    timer = setTimeout(look, ms).unref()
  }
  return () => {
    if (timer === undefined) look()
  }
}

const longestLine = 64 * 1024

/**
 * @param onLine is given every line that is not empty
 * @returns ends it, and says how many lines that were read nobody was given
 */
export function readLines(stream: Readable, ration: Ration, onLine: (line: string) => void): () => number {
  let rest = ''
  let lines: string[] = []
  let next = 0
  let timer: NodeJS.Timeout | undefined
  const give = (): void => {
    timer = undefined
    while (next < lines.length) {
      const ms = ration.wait()
      if (ms > 0) {
        stream.pause()
        timer = setTimeout(give, ms).unref()
        return
      }
      const line = lines[next++]!
      ration.spend(line)
      if (line !== '') onLine(line)
    }
    lines = []
    next = 0
    stream.resume()
  }
  const take = (more: string[]): void => {
    lines = next === 0 && lines.length === 0 ? more : [...lines.slice(next), ...more]
    next = 0
    if (timer === undefined) give()
  }
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const more = (rest + chunk).split('\n')
    rest = more.pop()!
    if (rest.length > longestLine) {
      more.push(rest)
      rest = ''
    }
    take(more)
  })
  stream.on('end', () => take([rest]))
  return () => {
    clearTimeout(timer)
    return lines.length - next
  }
}
