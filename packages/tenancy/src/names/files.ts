/**
 * Files of many tenants under one folder, each tenant’s in a folder of its own. A path can name nothing outside of it:
 *
 * - Each part of a path becomes one name (`fileName`); `.`, `..`, nothing, and control characters are refused.
 * - Folders are opened one after another, never through a symbolic link, and what is inside is reached through the opened
 *   folder and not through its path. So a link that is put there between check and use changes nothing. That needs Linux
 *   (/proc/self/fd); elsewhere each path is compared with its real path when it has been opened, which whoever can swap
 *   folders at the right moment may get around.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { currentIdentity } from '../identity/context.ts'
import { fileName, fileNameText, NameRefused } from './encoding.ts'

export interface FileArea {
  /** @returns the file’s content, or undefined when there is none */
  read(path: string): Promise<Buffer | undefined>
  /** Replaces the file as a whole: a reader sees the old content or the new one. Makes the folders that are missing. */
  write(path: string, content: Uint8Array | string): Promise<void>
  /** @returns whether it was there */
  remove(path: string): Promise<boolean>
  /** What is in a folder, folders with `/` at their end; nothing when there is no such folder. */
  list(folder?: string): Promise<string[]>
  /** Removes all files of the tenant. */
  clear(): Promise<void>
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants
const throughFolders = process.platform === 'linux'

interface Folder {
  /** Where something in this folder is, for a system call. */
  at(name: string): string
  close(): Promise<void>
}

/**
 * Every method is of the tenant for which it runs, and takes paths with `/`, such as `invoices/2026-11.pdf`.
 * @throws NameRefused for a path that can be none, or that leads through a link; IdentityMissing
 * @param options.root a folder that holds nothing else
 * @example
 * const files = createFileArea({ root: directory })
 * await withIdentity(identity, async () => {
 *   await files.write('invoices/2026-11.pdf', '%PDF-2.0')
 *   await files.list('invoices') // → ['2026-11.pdf']
 *   await files.read('../another/invoices/2026-11.pdf') // throws NameRefused 'name_refused'
 * })
 */
export function createFileArea(options: { root: string }): FileArea {
  const root = resolve(options.root)

  /** The folder of a path’s last part, opened; undefined when there is none and it shall not be made. */
  const enter = async (parts: readonly string[], isMade: boolean): Promise<Folder | undefined> => {
    const names = [fileName(currentIdentity().tenantId), ...parts]
    if (isMade) await mkdir(root, { recursive: true, mode: 0o700 })
    let folder = await openFolder(root, await realpath(root).catch(() => root), false)
    for (const name of names) {
      if (!folder) return undefined
      const outer: Folder = folder
      try {
        if (isMade) await mkdir(outer.at(name), { mode: 0o700 }).catch(unless('EEXIST'))
        folder = await openFolder(outer.at(name), outer.at(name), true)
      } finally {
        await outer.close()
      }
    }
    return folder
  }
  const inFolder = async <T>(
    parts: readonly string[],
    isMade: boolean,
    work: (folder: Folder) => Promise<T>,
  ): Promise<T | undefined> => {
    const folder = await enter(parts, isMade)
    if (!folder) return undefined
    try {
      return await work(folder)
    } finally {
      await folder.close()
    }
  }

  return {
    async read(path) {
      const [parts, name] = parse(path)
      return inFolder(parts, false, async (folder) => {
        // Without O_NONBLOCK a pipe would be waited for.
        const file = await openUnlinked(folder.at(name), O_RDONLY | O_NONBLOCK)
        if (!file) return undefined
        try {
          if (!(await file.stat()).isFile()) throw new NameRefused('This is no file.')
          return await file.readFile()
        } finally {
          await file.close()
        }
      })
    },
    async write(path, content) {
      const [parts, name] = parse(path)
      await inFolder(parts, true, async (folder) => {
        // No file of a tenant begins with a dot.
        const draft = folder.at(`.${randomUUID()}`)
        const file = await open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
        try {
          await file.writeFile(content)
          await file.sync()
        } finally {
          await file.close()
        }
        // A link of this name is replaced, not followed.
        await rename(draft, folder.at(name)).catch(async (error: NodeJS.ErrnoException) => {
          await unlink(draft)
          throw error.code === 'EISDIR' ? new NameRefused('There is a folder of this name.') : error
        })
      })
    },
    async remove(path) {
      const [parts, name] = parse(path)
      const isGone = await inFolder(parts, false, (folder) =>
        unlink(folder.at(name)).then(
          () => true,
          (error: NodeJS.ErrnoException) => {
            if (error.code === 'EISDIR' || error.code === 'EPERM') throw new NameRefused('This is no file.')
            unless('ENOENT')(error)
            return false
          },
        ),
      )
      return isGone ?? false
    },
    async list(folder) {
      const parts = folder === undefined ? [] : segments(folder)
      const names = await inFolder(parts, false, async (opened) => {
        const entries = await readdir(opened.at('.'), { withFileTypes: true })
        return entries.flatMap((entry) => {
          const text = fileNameText(entry.name)
          if (text === undefined || !(entry.isFile() || entry.isDirectory())) return []
          return [entry.isDirectory() ? `${text}/` : text]
        })
      })
      return (names ?? []).sort()
    },
    async clear() {
      await rm(join(root, fileName(currentIdentity().tenantId)), { recursive: true, force: true })
    },
  }
}

/** The names of the folders and of what is in the last of them. */
function parse(path: string): [string[], string] {
  const names = segments(path)
  return [names.slice(0, -1), names.at(-1)!]
}

function segments(path: string): string[] {
  return path.split('/').map((part) => {
    if (part === '' || part === '.' || part === '..') {
      throw new NameRefused('A path is of names with “/” between them; none is empty, “.” or “..”.')
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (/[\u0000-\u001f\u007f]/.test(part)) throw new NameRefused('A path has no control characters.')
    return fileName(part)
  })
}

async function openFolder(path: string, real: string, isInside: boolean): Promise<Folder | undefined> {
  const handle = await openUnlinked(path, O_RDONLY | O_DIRECTORY, isInside)
  if (!handle) return undefined
  if (throughFolders) {
    return { at: (name) => `/proc/self/fd/${handle.fd}/${name}`, close: () => handle.close() }
  }
  await handle.close()
  return { at: (name) => join(real, name), close: async () => {} }
}

/** Opens what is no symbolic link; undefined when there is nothing. */
async function openUnlinked(path: string, flags: number, isInside = true): Promise<FileHandle | undefined> {
  try {
    const handle = await open(path, isInside ? flags | O_NOFOLLOW : flags)
    if (!throughFolders && isInside && (await realpath(path)) !== path) {
      await handle.close()
      throw new NameRefused('A path does not lead through links.')
    }
    return handle
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    // ELOOP: a link. ENOTDIR: a file, or a link, where a folder is asked for.
    if (code === 'ELOOP' || code === 'ENOTDIR')
      throw new NameRefused('A path leads through folders, not through files or links.')
    throw error
  }
}

const unless = (code: string) => (error: NodeJS.ErrnoException) => {
  if (error.code !== code) throw error
}
