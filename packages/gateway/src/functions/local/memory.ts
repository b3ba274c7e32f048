import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const megabyte = 1024 * 1024
const intervalMs = 100

/** Resident memory of a process in MB; 0 when it is gone. */
export async function residentMb(pid: number, platform: string = process.platform): Promise<number> {
  try {
    if (platform === 'linux') {
      const text = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024
    }
    const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)])
    return (Number(stdout.trim()) * 1024) / megabyte
  } catch {
    return 0
  }
}

/**
 * Watches what a process really uses. V8's own limit counts its heap and no buffers, which is most of what a function
 * that reads files takes.
 *
 * @returns ends it
 */
export function watchMemory(pid: number | undefined, limitMb: number, onExceeded: () => void): () => void {
  let isWatching = true
  const look = async (): Promise<void> => {
    const used = pid === undefined ? 0 : await residentMb(pid)
    if (!isWatching) return
    if (used > limitMb) onExceeded()
    else setTimeout(() => void look(), intervalMs).unref()
  }
  void look()
  return () => {
    isWatching = false
  }
}
