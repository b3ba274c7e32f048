/**
 * Examples as programs that can be compiled and run. What an example does not declare, import or find in the kit it gets from
 * the desk; what it says of itself in a comment becomes a call that compares:
 *
 *   requireScope(identity, 'delete:item') // throws TokenRefused 'scope_missing'
 *   manifest.tables // → [{ table: 'items', rows: 2, … }]
 */
import { parse } from '@babel/parser'
import type { Documented } from './kit.ts'
import { declared, type Node, nodesOf, unknownsOf } from './syntax.ts'

export interface Program {
  /** `tenancy/express tenantRoute`. */
  name: string
  text: string
  /** How many things it says of itself. */
  claims: number
}

export const programsOf = (names: readonly Documented[]): Program[] =>
  names.flatMap(({ entry, name, examples }) =>
    examples.map(({ title, code }, at) => {
      const further = title === '' ? ` ${at + 1}` : `, ${title[0]!.toLowerCase()}${title.slice(1)}`
      const full = `${entry.replace('@tenantry/', '')} ${name}${at === 0 ? '' : further}`
      try {
        return programOf(full, entry, code, names)
      } catch (cause) {
        throw new Error(`The example of ${full} cannot be read: ${(cause as Error).message}`, { cause })
      }
    }),
  )

function programOf(name: string, entry: string, code: string, names: readonly Documented[]): Program {
  const { program, comments } = parse(code, { sourceType: 'module', plugins: ['typescript'] })
  const imports = program.body.filter(({ type }: Node) => type === 'ImportDeclaration')
  const claims = claimsOf(code, program, comments ?? [])
  const edits = [
    ...claims.map(({ statement, ...claim }, at) => ({
      ...placeOf(statement),
      text: callOf(code, statement, claim, at),
    })),
    ...imports.map((node: Node) => ({ ...placeOf(node), text: '' })),
    ...program.body
      .filter(({ type }: Node) => type === 'ExportNamedDeclaration')
      .map((node: Node) => ({ from: node.start, to: node.declaration.start, text: '' })),
  ]
  const body = edited(code, edits)
  const own = declared(program.body.map((node: Node) => node.declaration ?? node))
  const { values, types } = unknownsOf(body, imports)
  const kit = [...values, ...types].flatMap((word) => ofKit(word, entry, names) ?? [])
  const left = [...values].filter((word) => !kit.some((each) => each.name === word))
  const text = [
    "import type { Says } from '../claims.ts'",
    "import type { Given } from '../setups.ts'",
    ...kit.map(({ name: word, entry: from, signature }) => {
      const isType = /^(?:export )?(?:interface|type) /.test(signature)
      return `import { ${isType ? 'type ' : ''}${word} } from '${from}'`
    }),
    ...imports.map((node: Node) => code.slice(node.start, node.end)),
    '',
    `export const example = async ({ ${left.join(', ')} }: Given<${JSON.stringify(name)}>, says: Says) => {`,
    body.trim(),
    `return { ${[...own].join(', ')} }`,
    '}',
    '',
  ]
  return { name, text: text.join('\n'), claims: claims.length }
}

/** What the kit calls by this name: the same entry before others. */
const ofKit = (word: string, entry: string, names: readonly Documented[]): Documented | undefined =>
  names.find((each) => each.name === word && each.entry === entry) ?? names.find((each) => each.name === word)

interface Claim {
  kind: string
  value: string
}

/** Comments that begin with `→` or `throws` and the statements before them. Lines that are indented go on with the one above. */
function claimsOf(code: string, program: Node, comments: readonly Node[]): (Claim & { statement: Node })[] {
  const statements = nodesOf(program).filter(({ type }) => /^(?:ExpressionStatement|VariableDeclaration)$/.test(type))
  return comments.flatMap((comment, at) => {
    const [, kind, first] = /^ (→|throws) (.+)$/.exec(comment.value) ?? []
    if (!kind) return []
    const next = comments.findIndex(({ value }, later) => later > at && !value.startsWith('   '))
    const further = comments.slice(at + 1, next === -1 ? undefined : next).map(({ value }) => value)
    const statement = statements.findLast(
      ({ end }) => end <= comment.start && code.slice(end, comment.start).trim() === '',
    )
    if (!statement) throw new Error(`Before “${comment.value}” is no statement, in:\n${code}`)
    return [{ kind, value: [first, ...further].join('\n'), statement }]
  })
}

function callOf(code: string, statement: Node, { kind, value }: Claim, at: number): string {
  const text = code.slice(statement.start, statement.end)
  if (kind === 'throws') {
    const [, error, refusal] = /^(\w+)(?: '(\w+)')?$/.exec(value) ?? []
    if (!error) throw new Error(`Write “throws Name” or “throws Name 'code'” and not “throws ${value}”.`)
    return `await says.throws(${at}, async () => { ${text} }, '${error}', '${refusal ?? ''}')`
  }
  const expected = value.replace(/…(?=\s*\})/g, '[says.more]: true').replace(/…(?=\s*\])/g, 'says.more')
  if (statement.type === 'ExpressionStatement') {
    const { start, end } = statement.expression
    return `says.gives(${at}, ${code.slice(start, end)}, () => (${expected}))`
  }
  const [name, ...others] = declared([statement])
  if (name === undefined || others.length > 0) throw new Error(`Of several names “→ ${value}” means none:\n${text}`)
  return `${text}\nsays.gives(${at}, ${name}, () => (${expected}))`
}

const placeOf = ({ start, end }: Node): { from: number; to: number } => ({ from: start, to: end })

const edited = (code: string, edits: readonly { from: number; to: number; text: string }[]): string =>
  edits
    .toSorted((a, b) => b.from - a.from)
    .reduce((text, edit) => text.slice(0, edit.from) + edit.text + text.slice(edit.to), code)
