/** One measurement at a time, so that none disturbs another; each is a program that prints its result. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'

const files = globSync('bench/*.ts').sort()
const nameOf = (file: string): string => basename(file, '.ts')
const words = process.argv.slice(2)
const named = files.filter((file) => words.includes(nameOf(file)))
// What is no name is for the measurements that are named: `gateway scale`.
const rest = words.filter((word) => !named.some((file) => nameOf(file) === word))
const isUnderstood = words.length === 0 || named.length > 0

if (!isUnderstood || words.includes('--help')) {
  console.log('Usage: npm run bench [-- <name>… [what the measurement is told]]\n')
  for (const file of files) console.log(`  ${nameOf(file).padEnd(18)} ${claimOf(file)}`)
  process.exitCode = isUnderstood || words.includes('--help') ? 0 : 1
} else {
  for (const file of named.length > 0 ? named : files) {
    console.log(`\n${file}`)
    const options = ['--no-node-snapshot', '--expose-gc', file, ...rest]
    const { status } = spawnSync(process.execPath, options, { stdio: 'inherit' })
    if (status !== 0) process.exitCode = status ?? 1
  }
}

/** The first sentence of its header. */
function claimOf(file: string): string {
  const header = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
  const text = header.replaceAll(/\s*\n \*\s?/g, ' ').trim()
  return text.replace(/^Claims?: /, '').split(/(?<=\.)\s|: /, 1)[0]!
}
