/** Other spellings of B's id and of the path: what compares one form and looks up another lets them through. */
import { attempt } from '../attempt.ts'
import { hasParameters } from '../world.ts'
import { type Attack, victimOf } from './attack.ts'

const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

/** @returns what stands in the path instead of the id, by a name for the report */
export function spellings(id: string, own: string): [string, string][] {
  const plain = encodeURIComponent(id)
  const all: [string, string][] = [
    ['in upper case', plain.toUpperCase()],
    ['in lower case', plain.toLowerCase()],
    ['with each character encoded', hex(id)],
    ['encoded twice', encodeURIComponent(hex(id))],
    ['followed by a space', `${plain}%20`],
    ['after a space', `%20${plain}`],
    ['followed by a tab', `%09${plain}`],
    ['followed by a zero byte', `${plain}%00`],
    ['followed by an encoded slash', `${plain}%2F`],
    ['followed by a slash', `${plain}/`],
    ['followed by a dot', `${plain}.`],
    ['with .json', `${plain}.json`],
    ['with a matrix parameter', `${plain};x=1`],
    ['followed by an encoded #', `${plain}%23`],
    ['followed by an encoded ?', `${plain}%3Fx`],
    ['after an own id and a comma', `${encodeURIComponent(own)},${plain}`],
    ['after an own id and ..', `${encodeURIComponent(own)}%2F..%2F${plain}`],
    ['after an own id and a plain ..', `${encodeURIComponent(own)}/../${plain}`],
    ['without its last character', encodeURIComponent(id.slice(0, -1))],
    ['as a pattern with %', `${encodeURIComponent(id.slice(0, -1))}%25`],
    ['as a pattern with *', `${encodeURIComponent(id.slice(0, -1))}*`],
    ['as the pattern %', '%25'],
    ['in quotes', `%22${plain}%22`],
    ['in brackets', `[${plain}]`],
  ]
  if (/^\d+$/.test(id))
    all.push(
      ['after zeros', `00${id}`],
      ['after a plus', `%2B${id}`],
      ['as a decimal', `${id}.0`],
      ['as a power', `${id}e0`],
    )
  return all.filter(([, text]) => text !== plain)
}

const paths: [string, (path: string) => string][] = [
  ['in upper case', (path) => path.toUpperCase()],
  ['with doubled slashes', (path) => path.replace(/\/(?=[^/]+$)/, '//')],
  ['with /./', (path) => path.replace(/\/(?=[^/]+$)/, '/./')],
  ['with a detour over ..', (path) => path.replace(/\/(?=[^/]+$)/, '/x/../')],
]

export const spelling: Attack = {
  kinds: ['id-variant'],
  applies: (_world, route) => route.method === 'GET' && hasParameters(route),
  async run(world, route) {
    const { ledger } = world
    if (ledger.leaks(route, 'read-by-id', 'nested-id', 'own-request', 'cache-shared')) {
      return ledger.untested(route, 'id-variant', 'hidden by a plainer leak of the same route')
    }
    const victim = victimOf(world, route)
    if (!victim) return ledger.untested(route, 'id-variant', 'no id of tenant B is known')
    const { parts } = world.works.a.get(route.key)!
    const plain = victim.values.map((value) => encodeURIComponent(value))
    const last = victim.values.at(-1)!
    for (const [form, text] of spellings(last, parts.values.at(-1) ?? 'x')) {
      const spelled = [...plain.slice(0, -1), text]
      const did = `asked as A for B’s id ${form}`
      if (
        (await attempt(world, { route, kind: 'id-variant', did, parts: { ...parts, values: victim.values, spelled } }))
          .leaked
      )
        return
    }
    for (const [form, respell] of paths) {
      const did = `asked as A for B’s id at the path ${form}`
      const tried = await attempt(world, {
        route,
        kind: 'id-variant',
        did,
        parts: { ...parts, values: victim.values, respell },
      })
      if (tried.leaked) return
    }
  },
}
