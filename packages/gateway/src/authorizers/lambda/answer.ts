import type { RequestAuthorizer } from '../../api.ts'
import type { Caller } from '../../exchange.ts'
import { MalformedAnswer } from '../../payload/answer.ts'
import { compilePolicy, members, type Policy } from './policy.ts'

/** What a function decided, ready to be asked for any route. */
export interface FunctionAnswer {
  readonly allows: Policy
  readonly caller: Extract<Caller, { type: 'CUSTOM' }>
}

/**
 * Reads what an authorizer's function returned. Nothing is taken for another type: `"false"` is not `false`, and would
 * be true wherever a language is asked.
 *
 * @param text JSON
 * @throws MalformedAnswer
 */
export function readFunctionAnswer(text: string, config: RequestAuthorizer): FunctionAnswer {
  const answer = members(parse(text), 'the answer')
  const context = readContext(answer.context)
  if (config.payloadFormatVersion === '2.0' && config.enableSimpleResponses) {
    const { isAuthorized } = answer
    if (typeof isAuthorized !== 'boolean') throw new MalformedAnswer('isAuthorized must be true or false')
    return { allows: () => isAuthorized, caller: { type: 'CUSTOM', principalId: null, context } }
  }
  const { principalId } = answer
  if (typeof principalId !== 'string') throw new MalformedAnswer('principalId must be a text')
  return { allows: compilePolicy(answer.policyDocument), caller: { type: 'CUSTOM', principalId, context } }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MalformedAnswer('the answer is not JSON')
  }
}

function readContext(value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {}
  const context = members(value, 'context')
  // Where it is shown beside a verified token's claims, a function's would be taken for them.
  if (Object.hasOwn(context, 'claims')) throw new MalformedAnswer('"claims" is reserved and cannot be used in context')
  return Object.fromEntries(Object.entries(context).filter(([, item]) => item !== null))
}
