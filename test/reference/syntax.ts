/** Names in the code of examples: which it declares, and which it takes from elsewhere. */
import { parse } from '@babel/parser'

// biome-ignore lint/suspicious/noExplicitAny: nodes are looked at by their type, whatever they hold.
export type Node = any

/** Every node under these, outer ones first. */
export const nodesOf = (value: unknown): Node[] => {
  if (Array.isArray(value)) return value.flatMap(nodesOf)
  if (typeof value !== 'object' || value === null || !('type' in value)) return []
  return [value, ...Object.entries(value).flatMap(([key, child]) => (/Comments$/.test(key) ? [] : nodesOf(child)))]
}

/** The names that these statements, as opposed to what is inside of them, declare. */
export const declared = (statements: readonly Node[]): Set<string> =>
  new Set(
    statements.flatMap((statement) => {
      if (statement.type === 'VariableDeclaration') return statement.declarations.flatMap(({ id }: Node) => bound(id))
      return /^(?:Function|Class)Declaration$/.test(statement.type) ? [statement.id.name] : []
    }),
  )

/** The names that a pattern binds. */
function bound(pattern: Node): string[] {
  if (!pattern) return []
  if (pattern.type === 'Identifier') return [pattern.name]
  return [
    ...(pattern.properties ?? []).map((property: Node) => property.value ?? property),
    ...(pattern.elements ?? []),
    pattern.left,
    pattern.argument,
  ].flatMap(bound)
}

/** The names that are used and that neither the code nor an import nor Node.js declares, as values and as types. */
export function unknownsOf(body: string, imports: readonly Node[]): { values: Set<string>; types: Set<string> } {
  const { program } = parse(body, { sourceType: 'module', plugins: ['typescript'] })
  const nodes = nodesOf(program)
  const known = new Set([
    'says',
    ...imports.flatMap(({ specifiers }) => specifiers.map(({ local }: Node) => local.name)),
    ...declared(nodes),
    ...nodes.flatMap(({ params }) => (Array.isArray(params) ? params.flatMap(bound) : [])),
    ...nodes.flatMap(({ type, id, param }) =>
      /^TS(?:Interface|TypeAlias)Declaration$/.test(type) ? [id.name] : bound(param),
    ),
  ])
  const isKnown = (name: string) => known.has(name) || name in globalThis
  const labels = new Set(
    nodes.flatMap((node) => {
      const isKey = /^(?:Object|TS)Property|^ObjectMethod|^TSPropertySignature/.test(node.type) && !node.computed
      const isMember = /MemberExpression$/.test(node.type) && !node.computed
      return [isKey ? node.key : undefined, isMember ? node.property : undefined]
    }),
  )
  const inTypes = new Set(nodes.flatMap(({ type, typeName }) => (type === 'TSTypeReference' ? nodesOf(typeName) : [])))
  const used = nodes.filter((node) => node.type === 'Identifier' && !labels.has(node) && !isKnown(node.name))
  const [types, values] = [true, false].map(
    (isType) => new Set<string>(used.filter((node) => inTypes.has(node) === isType).map(({ name }) => name)),
  )
  return { values: values!, types: types! }
}
