import { watch } from 'node:fs'

/** An editor that saves writes, renames and removes within a moment. */
const settleMs = 50

/**
 * Tells of changes below a folder, several at once as one. Installed packages are not watched: they are many.
 *
 * @returns ends it
 */
export function watchFolder(folder: string, onChange: (file: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(folder, { recursive: true, persistent: false, ignore: ignored }, (_event, file) => {
    clearTimeout(timer)
    timer = setTimeout(() => onChange(file ?? folder), settleMs)
    timer.unref()
  })
  // A folder that is removed has nothing more to tell.
  watcher.on('error', () => undefined)
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}

const ignored = (file: string): boolean => /(^|[\\/])(node_modules|\.[^\\/]*)([\\/]|$)/.test(file)
