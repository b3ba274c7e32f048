/** One measurement at a time, so that none disturbs another; each is a program that prints its result. */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

const wanted = process.argv.slice(2)
const files = globSync('bench/*.ts')
  .sort()
  .filter((file) => wanted.length === 0 || wanted.some((text) => file.includes(text)))
if (files.length === 0) {
  console.error(`No file in bench/ matches ${wanted.join(' ') || '*.ts'}.`)
  process.exitCode = 1
}
for (const file of files) {
  console.log(`\n${file}`)
  const { status } = spawnSync(process.execPath, ['--no-node-snapshot', '--expose-gc', file], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = status ?? 1
}
