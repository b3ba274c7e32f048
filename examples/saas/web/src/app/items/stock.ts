/** What a tenant keeps in stock, and what follows from the numbers. */
export interface Item {
  id: string
  name: string
  code: string
  location: string
  onHand: number
}

export interface Stock {
  items: Item[]
}

/** From this many on, an item counts as in stock. */
const ENOUGH = 50

export const states = {
  in: { text: 'In stock', tone: 'ok' },
  low: { text: 'Low', tone: 'warn' },
  out: { text: 'Out of stock', tone: 'bad' },
} as const

export function stateOf({ onHand }: Pick<Item, 'onHand'>): keyof typeof states {
  if (onHand === 0) return 'out'
  return onHand < ENOUGH ? 'low' : 'in'
}

export function figuresOf(items: readonly Item[]) {
  const inState = (state: keyof typeof states) => items.filter((item) => stateOf(item) === state).length
  return [
    { name: 'Items', value: items.length },
    { name: 'Running low', value: inState('low') },
    { name: 'Out of stock', value: inState('out') },
    { name: 'Pieces on hand', value: items.reduce((sum, { onHand }) => sum + onHand, 0) },
  ]
}

/** Those whose name, code or location has the words of the query somewhere, by name. */
export function matching(items: readonly Item[], query: string): Item[] {
  const words = query.trim().toLocaleLowerCase().split(/\s+/)
  const text = ({ name, code, location }: Item) => `${name} ${code} ${location}`.toLocaleLowerCase()
  return items
    .filter((item) => words.every((word) => text(item).includes(word)))
    .sort((one, other) => one.name.localeCompare(other.name))
}
