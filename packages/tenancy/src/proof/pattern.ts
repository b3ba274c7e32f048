/** Texts that a regular expression accepts, for the `pattern` of a schema. Knows what schemas use: classes, groups, counts. */
import type { Random } from './random.ts'

const CLASSES: Record<string, string> = {
  d: '0123456789',
  w: 'abcdefghijklmnopqrstuvwxyz0123456789',
  s: ' ',
  '.': 'abcdefghijklmnopqrstuvwxyz0123456789',
}

/** @returns undefined when none was found; `tries` texts are made and each is put to the expression itself */
export function textFor(pattern: string, random: Random, { tries = 40, reach = 12 } = {}): string | undefined {
  let expression: RegExp
  try {
    expression = new RegExp(pattern, 'u')
  } catch {
    return undefined
  }
  for (let attempt = 0; attempt < tries; attempt++) {
    try {
      const text = new Reader(pattern, random, reach).alternatives()
      if (expression.test(text)) return text
    } catch {
      return undefined
    }
  }
  return undefined
}

class Reader {
  readonly #pattern: string
  readonly #random: Random
  readonly #reach: number
  #at = 0

  constructor(pattern: string, random: Random, reach: number) {
    this.#pattern = pattern
    this.#random = random
    this.#reach = reach
  }

  /** Reads up to the end of a group, and gives one of its alternatives. */
  alternatives(): string {
    const made = [this.#sequence()]
    while (this.#pattern[this.#at] === '|') {
      this.#at++
      made.push(this.#sequence())
    }
    return made[this.#random.below(made.length)]!
  }

  #sequence(): string {
    let text = ''
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern[this.#at]!)) {
      const start = this.#at
      const piece = this.#piece()
      const [least, most] = this.#count()
      const after = this.#at
      const wanted = least + this.#random.below(Math.min(most, least + this.#reach) - least + 1)
      if (wanted > 0) text += piece
      for (let made = 1; made < wanted; made++) {
        this.#at = start
        text += this.#piece()
      }
      this.#at = after
    }
    return text
  }

  #piece(): string {
    const char = this.#pattern[this.#at++]!
    if (char === '^' || char === '$') return ''
    if (char === '.') return this.#one(CLASSES['.']!)
    if (char === '\\') return this.#escaped()
    if (char === '[') return this.#one(this.#set())
    if (char !== '(') return char
    if (this.#pattern[this.#at] === '?') {
      const kind = /^\?(:|<[A-Za-z]\w*>)/.exec(this.#pattern.slice(this.#at))
      if (!kind) throw new Error('a look-around')
      this.#at += kind[0].length
    }
    const inside = this.alternatives()
    this.#at++
    return inside
  }

  #escaped(): string {
    const char = this.#pattern[this.#at++]!
    if (char === 'S') return this.#one(CLASSES.w!)
    if (char === 'b' || char === 'B') return ''
    if (char === 'p' || char === 'P') throw new Error('a property of characters')
    return char !== '.' && CLASSES[char] ? this.#one(CLASSES[char]!) : char
  }

  #set(): string {
    const close = /^(?:\\.|[^\]\\])*/.exec(this.#pattern.slice(this.#at))![0]
    this.#at += close.length + 1
    const negated = close.startsWith('^')
    let members = ''
    for (const [, escaped, from, to, single] of close
      .slice(negated ? 1 : 0)
      .matchAll(/\\(.)|([^\\])-([^\\])|([^\\])/g)) {
      if (escaped) members += CLASSES[escaped] ?? escaped
      else if (from && to)
        for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) members += String.fromCharCode(code)
      else members += single
    }
    if (!negated) return members
    return [...CLASSES.w!].filter((char) => !members.includes(char)).join('')
  }

  #count(): [number, number] {
    const found = /^(?:([*+?])|\{(\d+)(,(\d*))?\})\??/.exec(this.#pattern.slice(this.#at))
    if (!found) return [1, 1]
    this.#at += found[0].length
    const [, sign, least, several, most] = found
    if (sign === '?') return [0, 1]
    if (sign) return [sign === '+' ? 1 : 0, Number.POSITIVE_INFINITY]
    return [Number(least), several ? (most ? Number(most) : Number.POSITIVE_INFINITY) : Number(least)]
  }

  #one(members: string): string {
    if (members === '') throw new Error('an empty class')
    return members[this.#random.below(members.length)]!
  }
}
