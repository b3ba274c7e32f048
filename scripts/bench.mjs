/** `npm run bench`: sets up what is missing, then runs the measurements in bench/, one after the other. */
import { join } from 'node:path'
import { forward } from './process.mjs'
import { prepare, root } from './toolchain.mjs'

await forward(async () => {
  const { node, env } = await prepare()
  return { command: node, args: [join(root, 'scripts/bench-run.ts'), ...process.argv.slice(2)], env, cwd: root }
})
