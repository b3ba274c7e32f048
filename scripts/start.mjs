/** `npm start`: sets up what is missing, then runs `tenantry start`. */
import { join } from 'node:path'
import { forward } from './process.mjs'
import { prepare, root } from './toolchain.mjs'

await forward(async () => {
  const { node, env } = await prepare()
  // isolated-vm, which runs Actions, cannot work beside Node's start-up snapshot.
  const args = ['--no-node-snapshot', join(root, 'packages/cli/src/tenantry.ts'), 'start', ...process.argv.slice(2)]
  return { command: node, args, env }
})
