/**
 * The files that the pages load: their style and scripts, under a version that is their content's, kept by browsers for
 * good. They are sent compressed; pages never are, since the length of a compressed page that holds both a secret of the
 * form and something that a stranger chose would tell the secret (BREACH, CVE-2013-3587).
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { designTokens } from '../design-tokens.ts'

type Encoding = 'br' | 'gzip' | 'identity'

interface PageFile {
  path: string
  /** With its version. */
  href: string
  type: string
  as(encoding: Encoding): Buffer
}

const ENCODERS: Record<Encoding, (body: Buffer) => Buffer> = {
  br: (body) => brotliCompressSync(body),
  gzip: (body) => gzipSync(body, { level: 9 }),
  identity: (body) => body,
}

function fileOf(name: string, type: string, before = ''): PageFile {
  const body = Buffer.from(before + readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8'))
  const version = createHash('sha256').update(body).digest('hex').slice(0, 12)
  // Compressed when it is first asked for, and once: a start need not wait for it.
  const made: Partial<Record<Encoding, Buffer>> = {}
  const as = (encoding: Encoding) => {
    made[encoding] ??= ENCODERS[encoding](body)
    return made[encoding]
  }
  return { path: `/u/assets/${name}`, href: `/u/assets/${name}?v=${version}`, type, as }
}

const SCRIPT = 'text/javascript; charset=utf-8'
export const files = {
  css: fileOf('login.css', 'text/css; charset=utf-8', designTokens),
  js: fileOf('login.js', SCRIPT),
  passkeys: fileOf('passkeys.js', SCRIPT),
}

/** The best that is accepted; `;q=0` refuses one (RFC 9110 §12.5.3). */
function encodingFor(accepted: string | undefined): Encoding {
  const names = (accepted ?? '').split(',').filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part))
  const has = (encoding: Encoding) => names.some((part) => part.split(';')[0]!.trim().toLowerCase() === encoding)
  return has('br') ? 'br' : has('gzip') ? 'gzip' : 'identity'
}

export function serveFiles(app: Api): void {
  for (const { path, type, as } of Object.values(files)) {
    app.get(path, async (request, reply) => {
      const encoding = encodingFor(request.headers['accept-encoding'])
      if (encoding !== 'identity') reply.header('content-encoding', encoding)
      return reply
        .type(type)
        .header('vary', 'accept-encoding')
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('x-content-type-options', 'nosniff')
        .send(as(encoding))
    })
  }
}
