/** What a person sees: colours on a terminal only, one line per long step. */
const colored = process.stdout.isTTY === true && !process.env.NO_COLOR

const paint = (code: number) => (text: string) => (colored ? `\u001b[${code}m${text}\u001b[0m` : text)
export const bold = paint(1)
export const dim = paint(2)
export const accent = paint(36)

export const print = (line = ''): void => void process.stdout.write(`${line}\n`)

export const step = (text: string): void => print(dim(`  ${text} …`))

/** The one line for a failure that has a remedy. */
export const complain = (text: string): void => void process.stderr.write(`tenantry: ${text}\n`)
