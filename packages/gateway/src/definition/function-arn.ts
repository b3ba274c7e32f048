import { resolveStageVariables } from '../integrations/uri.ts'

const functionArn =
  /^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:(?:[A-Za-z0-9-_]|\$\{stageVariables\.\w+\})+(?::(?:[A-Za-z0-9-_]|\$LATEST|\$\{stageVariables\.\w+\})+)?$/
const invocation = /^arn:aws[a-z-]*:apigateway:[a-z0-9-]+:lambda:path\/2015-03-31\/functions\/(.+)\/invocations$/

/**
 * The function that a text names: an ARN, or the URI by which API Gateway invokes it. Stage variables may stand in the
 * function's name and alias, nowhere else.
 *
 * @returns the ARN, or `null` when it names no function
 */
export function functionArnOf(text: string): string | null {
  const arn = invocation.exec(text)?.[1] ?? text
  return functionArn.test(arn) ? arn : null
}

/** What is wrong with a function's ARN once a stage's variables are filled in, or `null`. */
export function resolvedArnFault(arn: string, stageVariables: Readonly<Record<string, string>>): string | null {
  try {
    const resolved = resolveStageVariables(arn, stageVariables)
    return functionArnOf(resolved) === null ? `"${resolved}", with the stage's variables, is no function's ARN` : null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The URI by which API Gateway invokes a function. */
export function invocationUri(arn: string): string {
  const [, partition, , region] = arn.split(':')
  return `arn:${partition}:apigateway:${region}:lambda:path/2015-03-31/functions/${arn}/invocations`
}

export const isRoleArn = (text: string): boolean => /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@${}/-]+$/.test(text)
