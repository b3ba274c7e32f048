/** A proof as JUnit XML: a suite per route, a test case per kind of attack; what could not be tested is skipped, with the reason. */
import { kinds } from './kinds.ts'
import type { Check } from './ledger.ts'
import type { Proof, RouteCoverage } from './proof.ts'

/** XML 1.0 §2.2 has no way to say most control characters and lone surrogates, and answers may hold them. */
const UNSAYABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
  /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(UNSAYABLE, '\ufffd')

/** The report of a proof as JUnit XML, which CI systems show as tests. */
export function toJunit(proof: Proof): string {
  const all = proof.routes.flatMap(({ checks }) => checks)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escaped(`isolation of ${proof.api || proof.baseUrl}`)}" ${tally(all)} time="${proof.seconds}">`,
    ...proof.routes.map(suite),
    '</testsuites>',
    '',
  ].join('\n')
}

const count = (checks: readonly Check[], outcome: Check['outcome']): number =>
  checks.filter((check) => check.outcome === outcome).length
const tally = (checks: readonly Check[]): string =>
  `tests="${checks.length}" failures="${count(checks, 'leak')}" errors="0" skipped="${count(checks, 'untested')}"`

function suite({ route, checks }: RouteCoverage): string {
  return [`  <testsuite name="${escaped(route)}" ${tally(checks)}>`, ...checks.map(testCase), '  </testsuite>'].join(
    '\n',
  )
}

function testCase({ route, kind, outcome, reason, finding }: Check): string {
  const head = `    <testcase classname="${escaped(route)}" name="${kind}: ${escaped(kinds[kind].title)}"`
  if (outcome === 'held') return `${head}/>`
  if (finding === undefined) return `${head}><skipped message="${escaped(reason ?? '')}"/></testcase>`
  const { did, shows, answer, curl, cause, remedy } = finding
  const text = [
    `It ${did}: ${shows}.`,
    curl,
    `${answer.status} ${answer.excerpt}`,
    `Likely cause: ${cause}`,
    `Remedy: ${remedy}`,
  ].join('\n')
  return `${head}><failure type="${finding.severity}" message="${escaped(shows)}">${escaped(text)}</failure></testcase>`
}
