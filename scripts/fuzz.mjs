/** `npm run fuzz -- --minutes 30 [--seed 7]`: sets up what is missing, then runs the fuzzer of the gateway. */
import { join } from 'node:path'
import { forward } from './process.mjs'
import { prepare, root } from './toolchain.mjs'

await forward(async () => {
  const { node, env } = await prepare()
  return { command: node, args: [join(root, 'test/fuzz/gateway.ts'), ...process.argv.slice(2)], env, cwd: root }
})
