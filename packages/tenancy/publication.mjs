// In this repository the kit runs from its TypeScript source. Node does not strip types below node_modules, so what is
// published is compiled: `prepack` builds dist/ and points the manifest at it, `postpack` points it back.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const here = import.meta.dirname
const manifestFile = join(here, 'package.json')
const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'))
/** The manifest's own list, which names sources, led elsewhere: `./src/servers/fastify.ts` to what it is compiled to. */
const exportsTo = (place) =>
  Object.fromEntries(Object.entries(manifest.exports).map(([entry, target]) => [entry, place(sourceOf(target))]))
const sourceOf = (target) => /^\.\/(?:src|dist)\/(.+?)\.(?:ts|js)$/.exec(target.default ?? target)[1]
const save = () => writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`)

if (process.argv[2] === 'prepack') {
  rmSync(join(here, 'dist'), { recursive: true, force: true })
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  execFileSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', join(here, 'tsconfig.build.json')], {
    stdio: 'inherit',
  })
  manifest.exports = exportsTo((name) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }))
  save()
} else {
  manifest.exports = exportsTo((name) => `./src/${name}.ts`)
  save()
}
