/**
 * Passwords that are known from leaks, in the format of the public range files: SHA-1 hashes in hexadecimal, `HASH:COUNT`
 * a line. Either a directory with one file for each prefix of five digits (named `21BD1` or `21BD1.txt`, its lines without
 * the prefix), or one file with whole hashes in ascending order. Nothing is loaded: a question reads a few kilobytes.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface BreachedPasswords {
  holds(plain: string): Promise<boolean>
}

/** @throws Error that says what is wrong with the path */
export async function openBreachedPasswords(path: string): Promise<BreachedPasswords> {
  const found = await stat(path)
  return found.isDirectory() ? openRanges(path) : openList(path, found.size)
}

const hashOf = (plain: string): string => createHash('sha1').update(plain).digest('hex').toUpperCase()
/** A line of padding has the count 0 and stands for nothing. */
const isLineOf = (line: string, hash: string): boolean =>
  line.slice(0, hash.length).toUpperCase() === hash && !/^:0\s*$/.test(line.slice(hash.length))

async function openRanges(path: string): Promise<BreachedPasswords> {
  const names = await readdir(path)
  const isRange = (name: string) => /^[0-9A-F]{5}(\.txt)?$/i.test(name)
  if (!names.some(isRange)) throw new Error('the directory holds no file that is named like a range, such as 21BD1.txt')
  const files = new Map(names.filter(isRange).map((name) => [name.slice(0, 5).toUpperCase(), join(path, name)]))
  return {
    async holds(plain) {
      const hash = hashOf(plain)
      const file = files.get(hash.slice(0, 5))
      if (!file) return false
      const suffix = hash.slice(5)
      return (await readFile(file, 'latin1')).split('\n').some((line) => isLineOf(line, suffix))
    },
  }
}

const CHUNK = 4096
/** No line is longer: 40 digits, a colon, a count. */
const LINE = 64

async function openList(path: string, size: number): Promise<BreachedPasswords> {
  const file = await open(path)
  const first = (await readAt(file, 0, LINE)).split('\n')[0]!
  if (!/^[0-9A-F]{40}(:\d+)?\r?$/i.test(first)) {
    await file.close()
    throw new Error('its first line is not a SHA-1 hash in hexadecimal, with or without :count')
  }
  return {
    async holds(plain) {
      const hash = hashOf(plain)
      // The line that is looked for begins at `from` or later, and before `to`.
      let [from, to] = [0, size]
      while (to - from > CHUNK) {
        const middle = Math.floor((from + to) / 2)
        const text = await readAt(file, middle, 2 * LINE)
        const start = middle + text.indexOf('\n') + 1
        const found = text.slice(start - middle, start - middle + 40).toUpperCase()
        if (found <= hash) from = start
        else to = start
      }
      const lines = (await readAt(file, from, to - from + LINE)).split('\n')
      return lines.some((line) => isLineOf(line, hash))
    },
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.toString('latin1', 0, bytesRead)
}
