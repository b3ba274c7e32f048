import { type CollectionTag, Pair, Scalar, type ScalarTag, YAMLMap, type YAMLSeq } from 'yaml'

const functions = [
  ...['Base64', 'Cidr', 'FindInMap', 'ForEach', 'GetAZs', 'GetAtt', 'If', 'ImportValue', 'Join', 'Length', 'Select'],
  ...['Split', 'Sub', 'ToJsonString', 'Transform', 'Equals', 'And', 'Or', 'Not'],
]

/** YAML's short forms (`!Ref x`), read into the long ones (`{ Ref: x }`), so that nothing else knows of them. */
export const shortForms: readonly (ScalarTag | CollectionTag)[] = [
  ...['Ref', 'Condition'].flatMap((name) => shortForm(`!${name}`, name)),
  ...functions.flatMap((name) => shortForm(`!${name}`, `Fn::${name}`)),
]

function shortForm(tag: string, name: string): (ScalarTag | CollectionTag)[] {
  const wrap = (content: YAMLMap | YAMLSeq): YAMLMap => {
    const map = new YAMLMap()
    map.items.push(new Pair(new Scalar(name), content))
    return map
  }
  return [
    { tag, resolve: (text) => ({ [name]: text }) },
    { tag, collection: 'seq', resolve: (node) => wrap(node) },
    { tag, collection: 'map', resolve: (node) => wrap(node) },
  ]
}
