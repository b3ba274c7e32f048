/**
 * Makes the texts that are loaded into customers' isolates: each part with the packages that it is made of, as one
 * function. Done once in a process, when the first Action asks for a part.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'
import type { PartSource } from '../runner/messages.ts'
import { parts } from './parts.ts'

const folder = fileURLToPath(new URL('./guest/', import.meta.url))
const partNames = new Set(parts.map(({ name }) => name))

/**
 * jws derives classes from `stream` that nobody makes instances of to sign or verify a text; jsonwebtoken asks `semver` what
 * Node's asymmetric keys can do, of which there are none.
 */
const ABSENT: Record<string, string> = {
  stream: 'module.exports = function Stream() {}',
  semver: 'exports.satisfies = () => true',
}

/** What whatwg-url asks for and the URL standard does not need for UTF-8, or only for hosts that are not ASCII. */
const REPLACED: Record<string, string> = {
  '@exodus/bytes/encoding.js': 'pieces/nothing.ts',
  tr46: 'pieces/host-names.ts',
}

const bounds: Plugin = {
  name: 'parts',
  setup(build) {
    const own = (file: string) => ({ path: `${folder}${file}` })
    build.onResolve({ filter: /^\.{1,2}\/[a-z-]+\.ts$/ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path)
      const name = file.slice(folder.length).replace(/\.ts$/, '')
      return file.startsWith(folder) && partNames.has(name) ? { path: name, external: true } : undefined
    })
    build.onResolve({ filter: /^(crypto|buffer|url)$/ }, ({ path, importer }) =>
      importer.startsWith(folder) ? undefined : { path, external: true },
    )
    // The package's own choice for browsers counts on what it is here to provide.
    build.onResolve({ filter: /(^|\/)(platform|utf8\.auto|utf16)\.js$/ }, ({ path, importer }) => {
      const [, root] = /^(.*\/@exodus\/bytes)\//.exec(importer.replaceAll('\\', '/')) ?? []
      if (root === undefined) return undefined
      return {
        path: path.startsWith('.') ? join(dirname(importer), path) : join(root, path.slice('@exodus/bytes/'.length)),
      }
    })
    build.onResolve({ filter: /^util$/ }, () => own('pieces/node-util.ts'))
    build.onResolve({ filter: /^(stream|semver)$/ }, ({ path }) => ({ path, namespace: 'absent' }))
    build.onLoad({ filter: /./, namespace: 'absent' }, ({ path }) => ({ contents: ABSENT[path]! }))
    build.onResolve({ filter: /^(@exodus\/bytes\/encoding\.js|tr46)$/ }, ({ path, importer }) =>
      importer.startsWith(folder) ? undefined : own(REPLACED[path]!),
    )
  },
}

/** webidl-conversions reads these to refuse shared memory; there is none in an isolate. */
const BANNER = 'class SharedArrayBuffer{get byteLength(){throw new TypeError}get growable(){throw new TypeError}}'

export type Bundles = () => Promise<ReadonlyMap<string, PartSource>>

export function createBundles(): Bundles {
  let made: ReturnType<Bundles> | undefined
  return () => {
    if (!made) {
      made = bundle()
      // The next one tries again.
      made.catch(() => {
        made = undefined
      })
    }
    return made
  }
}

async function bundle(): Promise<ReadonlyMap<string, PartSource>> {
  const esbuild = await import('esbuild')
  const { outputFiles } = await esbuild.build({
    entryPoints: Object.fromEntries(parts.map(({ name }) => [name, `${folder}${name}.ts`])),
    absWorkingDir: folder,
    outdir: folder,
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'browser',
    target: 'es2024',
    mainFields: ['browser', 'module', 'main'],
    banner: { js: BANNER },
    define: { 'process.version': '"v22.0.0"', 'process.nextTick': 'queueMicrotask' },
    plugins: [bounds],
    // Names are kept: people see them in stacks.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'silent',
  })
  // Its own process is needed no more.
  await esbuild.stop()
  return new Map(
    outputFiles.map(({ path, text }) => {
      const name = path.slice(folder.length).replace(/\.js$/, '')
      const source = `tenantryPart(${JSON.stringify(name)},(function(require,module,exports,host){${text}\n}));void 0`
      return [name, { name, source }]
    }),
  )
}
