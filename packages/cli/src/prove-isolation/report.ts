/** A proof for people: leaks first, route by route, then what was tested and what was not. */
import { kinds, type Proof, type RouteCoverage } from '@tenantry/tenancy/proof'
import { type Paint, printable } from '../terminal.ts'

export function reportLines(proof: Proof, { bold, dim, accent }: Paint): string[] {
  const lines: string[] = []
  for (const route of [...new Set(proof.findings.map((finding) => finding.route))]) {
    lines.push(bold(route), '')
    for (const finding of proof.findings.filter((one) => one.route === route)) {
      lines.push(
        `  ${accent(finding.severity)}  ${finding.title} ${dim(`(${finding.kind})`)}`,
        `    ${capital(printable(finding.did))}: ${printable(finding.shows)}.`,
        ...printable(finding.curl)
          .split('\n')
          .map((line) => `    ${line}`),
        `    ${dim(`${finding.answer.status} ${printable(finding.answer.excerpt).replaceAll('\n', ' ')}`)}`,
        `    Likely cause: ${finding.cause}`,
        `    Remedy: ${finding.remedy}`,
        '',
      )
    }
  }
  lines.push(bold('Routes'), '')
  const width = Math.max(...proof.routes.map(({ route }) => route.length))
  for (const route of proof.routes) lines.push(...routeLines(route, width, dim))
  lines.push('', ...summary(proof))
  return lines
}

function routeLines(route: RouteCoverage, width: number, dim: (text: string) => string): string[] {
  const name = route.route.padEnd(width)
  if (!route.tested) return [`  ${name}  not tested: ${printable(route.reason ?? '')}`]
  const count = (outcome: string) => route.checks.filter((check) => check.outcome === outcome).length
  const leaks = count('leak')
  const held = `${count('held')} kinds of attack held`
  const missing = new Map<string, string[]>()
  for (const { outcome, kind, reason = '' } of route.checks) {
    if (outcome === 'untested') missing.set(reason, [...(missing.get(reason) ?? []), kind])
  }
  return [
    `  ${name}  ${leaks > 0 ? `${leaks} ${leaks === 1 ? 'leak' : 'leaks'}, ` : ''}${held}`,
    ...[...missing].map(([reason, names]) =>
      dim(`  ${' '.repeat(width)}  not tried: ${names.join(', ')} (${printable(reason)})`),
    ),
  ]
}

export function summary(proof: Proof): string[] {
  const { findings, routes, requests, seconds, seed, left, cutShort } = proof
  const affected = new Set(findings.map(({ route }) => route)).size
  const untested = routes.filter(({ tested }) => !tested).length
  const found =
    findings.length === 0
      ? 'No leak was found'
      : `${findings.length} ${findings.length === 1 ? 'leak' : 'leaks'} in ${affected} of ${routes.length} routes`
  return [
    `${found}. ${routes.length - untested} of ${routes.length} routes were tested${untested > 0 ? `; about the other ${untested} nothing is proven` : ''}.`,
    ...(cutShort ? ['The time was up before everything was tried: see --timeout and --rate.'] : []),
    `${requests} requests in ${seconds} s, seed ${seed}.${left > 0 ? ` ${left} things that were made could not be removed.` : ''}`,
  ]
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

export const kindRows = (): [string, string][] => Object.entries(kinds).map(([kind, { title }]) => [kind, title])
