/** `npm start`: sets up what is missing, then runs `tenantry start`. */
import { join } from 'node:path'
import { forward } from './process.mjs'
import { prepare, root, toolchain } from './toolchain.mjs'

await forward(async () => {
  const { node, env } = await prepare()
  const args = [join(root, 'packages/cli/src/tenantry.ts'), 'start', ...process.argv.slice(2)]
  // What stripping types and compiling gave is kept: the second start finds it.
  return { command: node, args, env: { ...env, NODE_COMPILE_CACHE: join(toolchain, 'compile-cache') } }
})
