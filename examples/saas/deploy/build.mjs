/** Puts the functions and what they read into `deploy/dist`, as `template.yaml` expects them: npm run build:lambda */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const { dirname } = import.meta
const out = process.argv[2] ?? join(dirname, 'dist')
rmSync(out, { recursive: true, force: true })
await build({
  entryPoints: [join(dirname, '../src/lambda/handlers.ts')],
  // As deep as the source, from where the migrations are found.
  outfile: join(out, 'src/lambda/handlers.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  // Packages written for `require` ask for it.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: 'warning',
})
// The kit reads and mends the files of this driver as it starts; a bundle does not hold them.
const driver = join(fileURLToPath(import.meta.resolve('postgres')), '../..')
cpSync(driver, join(out, 'node_modules/postgres'), { recursive: true })
cpSync(join(dirname, '../migrations'), join(out, 'migrations'), { recursive: true })
