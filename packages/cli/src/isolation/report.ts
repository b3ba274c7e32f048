/** Findings for people: object by object, each with the statements that mend it. */
import type { IsolationFinding } from '@tenantry/tenancy'
import { type Paint, printable } from '../terminal.ts'

export function reportLines(findings: readonly IsolationFinding[], { bold, dim, accent }: Paint): string[] {
  const lines: string[] = []
  for (const [, group] of Map.groupBy(findings, ({ kind, object }) => `${kind} ${object}`)) {
    const [{ kind, object }] = group as [IsolationFinding]
    lines.push(`${bold(printable(object))}  ${dim(kind)}`, '')
    for (const { severity, problem, why, remedy } of group) {
      lines.push(
        `  ${severity === 'leak' ? accent(severity) : severity}  ${printable(why)} ${dim(`(${problem})`)}`,
        ...printable(remedy)
          .trimEnd()
          .split('\n')
          .map((line) => (line === '' ? '' : `        ${line}`)),
        '',
      )
    }
  }
  lines.push(summary(findings))
  return lines
}

function summary(findings: readonly IsolationFinding[]): string {
  if (findings.length === 0) return 'Nothing was found by which tenants could reach each other’s rows.'
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
  const leaks = findings.filter(({ severity }) => severity === 'leak').length
  const objects = new Set(findings.map(({ kind, object }) => `${kind} ${object}`)).size
  return `${count(leaks, 'leak')} and ${count(findings.length - leaks, 'risk')} in ${count(objects, 'object')}.`
}
