/**
 * Every example of the kit's reference is compiled against the kit as it is: what it calls is there, takes what it is given and
 * gives back what is done with it. Names that an example leaves to the reader (`token`, `url`) are anything.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { documentedNames } from './kit.ts'

interface Example {
  file: string
  imports: string[]
  body: string
}

const names = documentedNames()
// Inside of the repository, where packages are found.
const directory = mkdtempSync(join(import.meta.dirname, '.examples-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const examples = names.flatMap(({ entry, name, examples: own }, at) =>
  own.map(({ code }, n): Example => {
    const imports = [...code.matchAll(/^import .*$/gm)].map(([line]) => line)
    // `…` stands for what is left out.
    const body = code
      .replace(/^import .*$/gm, '')
      .replace(/^export /gm, '')
      .replace(/, … }/g, ' }')
      .replaceAll('…', '')
    return {
      file: `${at}${`${entry}-${name}`.replace(/\W+/g, '-')}-${n}.ts`,
      imports: [...imports, ...kitsOwn(entry, body, imports)],
      body,
    }
  }),
)

/** What an example uses of the kit without importing it: its own entry's before that of another. */
function kitsOwn(entry: string, body: string, imports: string[]): string[] {
  const used = new Set([...body.matchAll(/\b[A-Za-z_]\w*\b/g)].map(([word]) => word))
  return [...used].flatMap((word) => {
    const found =
      names.find((each) => each.name === word && each.entry === entry) ?? names.find(({ name }) => name === word)
    const isDeclared = new RegExp(`\\b(?:const|let|function|class|interface|type) (?:\\{[^}]*\\b)?${word}\\b`).test(
      body,
    )
    if (!found || isDeclared || imports.some((line) => new RegExp(`\\b${word}\\b`).test(line))) return []
    return [`import { ${word} } from '${found.entry}'`]
  })
}

function write({ file, imports, body }: Example, left: ReadonlySet<string>): void {
  const anything = [...left].map((name) => `declare const ${name}: any\ntype ${name} = any`)
  const lines = [...imports, ...anything, 'export const example = async (): Promise<any> => {', body, '}', '']
  writeFileSync(join(directory, file), lines.join('\n'))
}

function compile(): string[] {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const { stdout } = spawnSync(process.execPath, [compiler, '-p', directory, '--pretty', 'false'], { encoding: 'utf8' })
  return stdout.split('\n').filter((line) => line.includes('error TS'))
}

test('every example of the kit compiles against the kit', () => {
  assert.ok(examples.length > 60, `${examples.length} examples`)
  const compilerOptions = { noEmit: true, noUnusedLocals: false, noUnusedParameters: false, noImplicitAny: false }
  const config = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
  const left = new Map(examples.map((example) => [example, new Set<string>()]))
  for (const example of examples) write(example, new Set())
  // Some names are missed only once others are there.
  for (let round = 0; round < 2; round++) {
    for (const line of compile()) {
      const [, file, name] =
        /^(?:.*\/)?([^/]+\.ts)\(\d+,\d+\): error TS(?:2304|2552|18004)\b[^']*'(\w+)'/.exec(line) ?? []
      const example = examples.find((each) => each.file === file)
      if (example && name) left.get(example)!.add(name)
    }
    for (const [example, unknown] of left) write(example, unknown)
  }
  assert.deepEqual(compile(), [])
})
