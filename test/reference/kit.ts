/**
 * The reference of the published kit, from its sources: every name of every entry of its manifest, with its signature and
 * docstring. Sources are formatted, so a declaration begins in the first column and ends where its indentation does.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Named } from './desk.ts'

export interface Documented {
  entry: string
  name: string
  signature: string
  text: string
  examples: { title: string; code: string }[]
}

/** What examples leave to their reader. */
const leftToReader: Record<keyof Named, string> = {
  tenantId: 'a tenant: `BlueKite4Jq8Zt1Ns6Yb0Xw3`',
  token: 'the access token of Maria, who belongs to this tenant and has the scope `read:item`',
  request: 'an HTTP request that carries the token',
  verifier: 'from `createVerifier`',
  authenticate: 'from `createAuthenticator`',
  identity: 'what `authenticate` has found in the request',
  url: 'the address of the database for the application’s role, `app`',
  sql: 'a pool of connections to it',
  database: '`createTenantDatabase(sql)`',
  listItems: '`` (tx) => tx`select name from items order by id` ``: the tenant has an anvil and a rope',
  owner: 'a pool of the role that owns the tables',
  migrate: 'your migrations, see `ProvisioningOptions`',
  control: 'a pool of the control plane’s role; its tables are in the schema `control` (`migrateLifecycle`)',
  options: 'your `TenantLifeOptions`',
  limitsUrl: 'the address of the database for the limiter’s role (`limitTables`)',
  directory: 'a directory of yours',
}

const kit = resolve(import.meta.dirname, '../../packages/tenancy')

export function documentedNames(): Documented[] {
  const { name, exports } = JSON.parse(readFileSync(join(kit, 'package.json'), 'utf8')) as {
    name: string
    exports: Record<string, string>
  }
  return Object.entries(exports).flatMap(([entry, target]) =>
    namesOf(join(kit, target)).map(({ name: exported, file }) => ({
      entry: name + entry.slice(1),
      name: exported,
      ...declarationOf(file, exported),
    })),
  )
}

/** The exported names of a file, and where each is declared. */
function namesOf(file: string): { name: string; file: string }[] {
  const text = readFileSync(file, 'utf8')
  const own = [...text.matchAll(/^export (?:declare )?(?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm)]
  const passed = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm)].flatMap(([, list, from]) =>
    list!
      .split(',')
      .map((item) => item.trim().replace(/^type /, ''))
      .filter((item) => item !== '')
      .map((item) => declaredIn(resolve(dirname(file), from!), item.split(' as ')[0]!)),
  )
  const all = [...text.matchAll(/^export \* from '(\.[^']+)'/gm)].flatMap(([, from]) =>
    namesOf(resolve(dirname(file), from!)),
  )
  // An overloaded function is declared several times under one name.
  const ownNames = new Set(own.map(([, name]) => name!))
  return [...Array.from(ownNames, (name) => ({ name, file })), ...passed, ...all]
}

/** Follows a name that is passed on to where it is declared. */
const declaredIn = (file: string, name: string): { name: string; file: string } =>
  namesOf(file).find((each) => each.name === name) ?? { name, file }

function declarationOf(file: string, name: string): Pick<Documented, 'signature' | 'text' | 'examples'> {
  const text = readFileSync(file, 'utf8')
  const found = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[^])*\\*/\\n)?^export (?:declare )?(?:async )?(function\\*?|const|class|interface|type) ${name}\\b[^]*?(?=\\n\\n|\\n/\\*\\*|\\n(?:export|const|function|class|interface|type|async) |$(?![^]))`,
    'm',
  ).exec(text)
  if (!found) return { signature: '', text: '', examples: [] }
  const [whole, comment = '', kind = ''] = found
  const code = whole.slice(comment.length)
  return { signature: signatureOf(code, text.slice(found.index + comment.length), kind), ...read(comment) }
}

function signatureOf(code: string, rest: string, kind: string): string {
  // Interfaces and classes may hold blank lines; they end with the first brace in the first column.
  if (kind === 'interface') return rest.slice(0, rest.search(/^\}/m) + 1)
  if (kind === 'class') return `${rest.slice('export '.length, rest.indexOf('\n'))} … }`
  if (kind.startsWith('function')) return untilOutside(rest, 0, ' {\n').replace(/^export (?:async )?/gm, '')
  if (kind === 'const') return headOf(code.replace(/^export /, ''))
  return code.replace(/^export /, '').trimEnd()
}

/** A constant up to its value; one that is a function, up to its body. */
function headOf(code: string): string {
  const value = code.indexOf(' = ')
  const head = untilOutside(code, value, ' =>')
  return head === code ? code.slice(0, value) : head
}

/** The code up to this text where it stands outside of all brackets. */
function untilOutside(code: string, from: number, text: string): string {
  let depth = 0
  for (let at = from; at < code.length; at++) {
    if (depth === 0 && code.startsWith(text, at)) return code.slice(0, at)
    if ('([{'.includes(code[at]!)) depth += 1
    else if (')]}'.includes(code[at]!)) depth -= 1
  }
  return code
}

function read(comment: string): Pick<Documented, 'text' | 'examples'> {
  const body = comment
    .replace(/^\/\*\*\s?|\s*\*\/\n?$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
  const [text, ...examples] = body.split(/^@example/m)
  return {
    text: text!.trim(),
    examples: examples.map((example) => {
      const end = example.indexOf('\n')
      return { title: example.slice(0, end).trim(), code: example.slice(end + 1).trimEnd() }
    }),
  }
}

export function kitReference(names: readonly Documented[]): string {
  const lines = [
    '# Reference of the tenancy kit',
    '',
    'Generated by `npm run reference` from the docstrings of `packages/tenancy`. The tests run every example on a real database and',
    'with tokens of a real issuer: `// →` is what a line gives, with `…` for what is left out, and `// throws` how it is refused. The',
    'kit’s own names stand there without their imports. What examples take for granted:',
    '',
    '| name | what it is |',
    '| --- | --- |',
    ...Object.entries(leftToReader).map(([name, what]) => `| \`${name}\` | ${what} |`),
    '',
  ]
  for (const [entry, group] of Map.groupBy(names, (each) => each.entry)) {
    lines.push(`## ${entry}`, '')
    for (const { name, signature, text, examples } of group) {
      lines.push(`### ${name}`, '', '```ts', signature, '```', '')
      if (text !== '') lines.push(paragraphs(text), '')
      for (const { title, code } of examples) {
        lines.push(
          title === '' ? 'Example:' : `Example, ${title[0]!.toLowerCase()}${title.slice(1)}:`,
          '',
          '```ts',
          code,
          '```',
          '',
        )
      }
    }
  }
  return lines.join('\n')
}

const WORDS: Record<string, string> = { param: 'Parameter', returns: 'Returns', throws: 'Throws' }

/** Tags become items of a list. */
function paragraphs(text: string): string {
  const [before, ...tags] = text.split(/^@(?=param|returns|throws)/m)
  const items = tags.map((tag) => {
    const [, word = '', rest = ''] = /^(\w+)\s+(.*)$/s.exec(tag.trim()) ?? []
    const named = word === 'param' ? rest.replace(/^([\w.]+)/, '`$1`:') : rest
    return `- ${WORDS[word] ?? word} ${named.replace(/\n\s*/g, ' ')}`
  })
  return [before!.trim(), ...(items.length > 0 ? ['', ...items] : [])].join('\n').trim()
}
