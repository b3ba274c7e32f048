/** What was tried on which route, and what came of it. What could not be tried stays in sight, with the reason. */
import type { Route } from './api-description.ts'
import { type Answer, type Call, curlOf } from './exchange.ts'
import { type Kind, kinds, type Severity } from './kinds.ts'

export interface Finding {
  kind: Kind
  severity: Severity
  title: string
  route: string
  /** What was done, in words. */
  did: string
  /** The foreign texts in the answer, or what changed at the other tenant. */
  shows: string
  request: { as: string; method: string; url: string; headers: Record<string, string>; body?: string }
  answer: { status: number; excerpt: string }
  curl: string
  cause: string
  remedy: string
}

export type Outcome = 'leak' | 'held' | 'untested'

export interface Check {
  route: string
  kind: Kind
  outcome: Outcome
  /** Of what is untested. */
  reason?: string
  finding?: Finding
}

export interface Evidence {
  did: string
  shows: string
  answer: Answer
  /** Near which the excerpt is cut. */
  around?: string
}

export interface Ledger {
  held(route: Route, kind: Kind): void
  untested(route: Route, kind: Kind, reason: string): void
  leak(route: Route, kind: Kind, evidence: Evidence): void
  /** A finding that turned out to be one of another kind. */
  forget(route: Route, kind: Kind): void
  leaks(route: Route, ...wanted: readonly Kind[]): boolean
  checks(): Check[]
}

const RANK: Record<Outcome, number> = { untested: 0, held: 1, leak: 2 }

/** @param secrets tokens, which no report may hold */
export function createLedger(secrets: readonly string[]): Ledger {
  const checks = new Map<string, Check>()
  const redact = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, '<token>'), text)
  const put = (check: Check): void => {
    const key = `${check.route}\n${check.kind}`
    const before = checks.get(key)
    // Of equals the later: its reason is nearer to the truth, its request says less that does not matter.
    if (!before || RANK[check.outcome] >= RANK[before.outcome]) checks.set(key, check)
  }
  return {
    held: (route, kind) => put({ route: route.key, kind, outcome: 'held' }),
    untested: (route, kind, reason) => put({ route: route.key, kind, outcome: 'untested', reason }),
    leak(route, kind, evidence) {
      const { title, severity, cause, remedy } = kinds[kind]
      const { call } = evidence.answer
      const finding: Finding = {
        kind,
        severity,
        title,
        route: route.key,
        did: evidence.did,
        shows: redact(evidence.shows),
        request: requestOf(call, redact),
        answer: { status: evidence.answer.status, excerpt: redact(excerptOf(evidence.answer, evidence.around)) },
        curl: redact(curlOf(call)),
        cause,
        remedy,
      }
      put({ route: route.key, kind, outcome: 'leak', finding })
    },
    forget: (route, kind) => void checks.delete(`${route.key}\n${kind}`),
    leaks: (route, ...wanted) => wanted.some((kind) => checks.get(`${route.key}\n${kind}`)?.outcome === 'leak'),
    checks: () => [...checks.values()],
  }
}

function requestOf(call: Call, redact: (text: string) => string): Finding['request'] {
  const { credential, method, url, target, headers, body } = call
  return {
    as: credential.name,
    method,
    url: redact(`${url.origin}${target}`),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, redact(value)])),
    ...(body ? { body: redact(body.content.toString('utf8')) } : {}),
  }
}

const EXCERPT = 240

function excerptOf({ text, headers }: Answer, around?: string): string {
  const at = around === undefined ? -1 : text.toLowerCase().indexOf(around.toLowerCase())
  if (around !== undefined && at < 0) {
    const header = Object.entries(headers).find(([, value]) => value.toLowerCase().includes(around.toLowerCase()))
    if (header) return `${header[0]}: ${header[1]}`
  }
  const from = Math.max(0, at - EXCERPT / 2)
  const cut = text.slice(from, from + EXCERPT)
  return `${from > 0 ? '…' : ''}${cut}${from + EXCERPT < text.length ? '…' : ''}`
}
