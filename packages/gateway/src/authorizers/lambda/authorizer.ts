/**
 * AWS's Lambda authorizers: a function of the API's owner decides. What it answered is remembered under the values of
 * the identity sources, and under nothing else, as AWS does; a remembered policy is asked anew for each request, a
 * remembered simple answer holds for all routes alike (`leaks.ts` warns where that is a trap).
 */
import { LRUCache } from 'lru-cache'
import { answers } from '../../answers.ts'
import { limits, type RequestAuthorizer } from '../../api.ts'
import type { Call } from '../../exchange.ts'
import { resolveFunctionArn } from '../../functions/arn.ts'
import type { Functions } from '../../functions/functions.ts'
import { traceIdOf } from '../../payload/trace-id.ts'
import type { CompiledAuthorizer, Refusal, Verdict } from '../authorizer.ts'
import { type FunctionAnswer, readFunctionAnswer } from './answer.ts'
import { describeCall } from './event.ts'
import { compileIdentitySource } from './identity-sources.ts'
import { routeArn } from './policy.ts'

export interface LambdaAuthorizerDeps {
  readonly functions: Functions
  readonly stageVariables: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Bytes of answers to remember. */
  readonly cacheBytes: number
}

interface Kept {
  readonly answer: FunctionAnswer
  readonly expiresAt: number
  readonly bytes: number
}

const entryOverheadBytes = 1024
// A parsed answer takes about this much per character of its text.
const bytesPerCharacter = 4

/** @throws Error when an identity source or the function's name cannot be used */
export function createLambdaAuthorizer(config: RequestAuthorizer, deps: LambdaAuthorizerDeps): CompiledAuthorizer {
  const { functions, stageVariables, now } = deps
  const arn = resolveFunctionArn(config.functionArn, stageVariables)
  if (config.credentialsArn !== null) {
    throw new Error(`the authorizer's role "${config.credentialsArn}" cannot be assumed; remove the credentials`)
  }
  const readers = config.identitySource.map((source) => compileIdentitySource(source, stageVariables))
  const ttl = config.resultTtlSeconds * 1000
  if (ttl > 0 && readers.length === 0) {
    throw new Error('an authorizer whose results are kept needs an identity source, or all callers would share one')
  }
  const describe = describeCall[config.payloadFormatVersion]
  const kept = new LRUCache<string, Kept>({ maxSize: deps.cacheBytes, sizeCalculation: ({ bytes }) => bytes })
  const flights = new Map<string, Promise<FunctionAnswer>>()

  const ask = async (call: Call, sources: readonly string[]): Promise<Omit<Kept, 'expiresAt'>> => {
    const traceId = traceIdOf(call)
    const { accountId } = call.deployment.api
    const options = { timeoutMs: limits.authorizerTimeoutMs, accountId, callId: call.id, traceId }
    const text = await functions.invoke(arn, describe(call, sources, traceId), options)
    return { answer: readFunctionAnswer(text, config), bytes: text.length * bytesPerCharacter + entryOverheadBytes }
  }

  const askOnce = (key: string, call: Call, sources: readonly string[]): Promise<FunctionAnswer> => {
    const under = flights.get(key)
    if (under !== undefined) return under
    const flight: Promise<FunctionAnswer> = ask(call, sources)
      .then(({ answer, bytes }) => {
        // Not after a reset: what was asked before it may have been decided before it.
        if (flights.get(key) === flight) kept.set(key, { answer, bytes: bytes + key.length, expiresAt: now() + ttl })
        return answer
      })
      .finally(() => {
        if (flights.get(key) === flight) flights.delete(key)
      })
    flights.set(key, flight)
    return flight
  }

  return {
    authorize: (call) => {
      const sources: string[] = []
      for (const [index, read] of readers.entries()) {
        const value = read(call)
        const isThere = value !== undefined && value !== ''
        call.trace?.note({
          at: 'authorizer',
          check: config.identitySource[index]!,
          passed: isThere,
          expected: 'present',
        })
        if (!isThere) return sourceMissing(config.identitySource[index]!)
        sources.push(value)
      }
      // As JSON: joined by a comma, `a,b` and `c` would be `a` and `b,c`.
      const key = ttl === 0 ? null : JSON.stringify(sources)
      const known = key === null ? undefined : kept.get(key)
      if (known !== undefined && known.expiresAt > now()) return decide(known.answer, call)
      const answer = key === null ? ask(call, sources).then((fresh) => fresh.answer) : askOnce(key, call, sources)
      return answer.then((found) => decide(found, call), failed)
    },
    reset: () => {
      kept.clear()
      flights.clear()
    },
  }
}

function decide({ allows, caller }: FunctionAnswer, call: Call): Verdict {
  const isAllowed = allows(routeArn(call))
  call.trace?.note({
    at: 'authorizer',
    check: 'what the function answered',
    passed: isAllowed,
    expected: 'allows the route',
    actual: isAllowed ? 'allowed' : 'denied',
  })
  return isAllowed ? caller : denied
}

const denied: Refusal = { answer: answers.functionDenied, challenge: null, error: 'the function denied access' }

const sourceMissing = (source: string): Refusal => ({
  answer: answers.sourceMissing,
  challenge: null,
  error: `the request has no ${source}`,
})

const longestError = 500

/** The client learns that something failed; what did stands in the access log. */
const failed = (error: unknown): Refusal => ({
  answer: answers.failed,
  challenge: null,
  error: (error instanceof Error ? error.message : String(error)).slice(0, longestError),
})
