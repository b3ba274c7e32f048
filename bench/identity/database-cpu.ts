import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** CPU of an embedded PostgreSQL so far, in microseconds, with that of sessions that have ended. @param directory as of `openScratchDatabase` */
export function databaseCpu(directory: string): number {
  const postmaster = Number(readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
  const statOf = (pid: string | number) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    } catch {
      return undefined
    }
  }
  const sum = (stat: string[] | undefined, ...fields: number[]) =>
    stat ? fields.reduce((total, field) => total + Number(stat[field]), 0) : 0
  const children = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && statOf(pid)?.[1] === String(postmaster))
  const ticks =
    sum(statOf(postmaster), 11, 12, 13, 14) + children.reduce((total, pid) => total + sum(statOf(pid), 11, 12), 0)
  // A hundred ticks a second, whatever the kernel's own clock is (USER_HZ).
  return ticks * 10_000
}
