/** What a person sees: colours on a terminal only, one line per long step. */
const colored = process.stdout.isTTY === true && !process.env.NO_COLOR

const paint = (code: number) => (text: string) => (colored ? `\u001b[${code}m${text}\u001b[0m` : text)
export const bold = paint(1)
export const dim = paint(2)
export const accent = paint(36)

export interface Paint {
  bold(text: string): string
  dim(text: string): string
  accent(text: string): string
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys control characters, and what others have named holds any
export const printable = (text: string): string => text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, '?')

export const print = (line = ''): void => void process.stdout.write(`${line}\n`)

export const step = (text: string): void => print(dim(`  ${text} …`))

/** The one line for a failure that has a remedy. */
export const complain = (text: string): void => void process.stderr.write(`tenantry: ${text}\n`)
