/** Three applications as a customer writes them, bundled with the SDKs as npm has them, and served on the issuer's site. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export interface Apps {
  /** Listens on loopback; any name under localhost leads to it. */
  port: number
  close(): void
}

const PAGES = { '/spa': 'spa.ts', '/react': 'react.tsx', '/auth0-js': 'auth0-js.js' } as const

export async function serveApps(): Promise<Apps> {
  const scripts = new Map<string, string>()
  for (const [path, file] of Object.entries(PAGES)) {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
      bundle: true,
      format: 'iife',
      write: false,
      jsx: 'automatic',
      define: { 'process.env.NODE_ENV': '"production"' },
    })
    scripts.set(`${path}.js`, outputFiles[0]!.text)
  }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://app')
    const script = scripts.get(pathname)
    if (script) return response.setHeader('content-type', 'text/javascript').end(script)
    if (!Object.hasOwn(PAGES, pathname)) return response.writeHead(404).end()
    response
      .setHeader('content-type', 'text/html; charset=utf-8')
      .end(`<!doctype html><title>App</title><div id="root"></div><script src="${pathname}.js"></script>`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}
