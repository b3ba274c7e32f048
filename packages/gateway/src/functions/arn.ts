import { resolveStageVariables } from '../integrations/uri.ts'

export interface FunctionArn {
  readonly partition: string
  readonly region: string
  readonly accountId: string
  readonly name: string
  /** Alias or version; `null` when the ARN has none. */
  readonly qualifier: string | null
}

const shape =
  /^arn:(aws[a-z-]*):lambda:([a-z][a-z0-9-]{0,31}):(\d{12}):function:([A-Za-z0-9_-]{1,64})(?::([A-Za-z0-9_-]{1,128}|\$LATEST))?$/

/** Returns `null` for a text that is no ARN of a function. */
export function parseFunctionArn(text: string): FunctionArn | null {
  const match = shape.exec(text)
  if (match === null) return null
  const [, partition, region, accountId, name, qualifier] = match
  return {
    partition: partition!,
    region: region!,
    accountId: accountId!,
    name: name!,
    qualifier: qualifier ?? null,
  }
}

/**
 * The ARN of a function with a stage's variables filled in. They may stand in the name and the alias alone: whoever
 * sets a variable of a stage must not choose the account.
 *
 * @throws Error saying what is wrong with it
 */
export function resolveFunctionArn(template: string, variables: Readonly<Record<string, string>>): string {
  const marker = ':function:'
  const at = template.indexOf(marker)
  const arn = resolveStageVariables(template, variables)
  if (at === -1 || template.slice(0, at).includes('${') || parseFunctionArn(arn) === null) {
    throw new Error(
      `"${template}" is no ARN of a function: arn:aws:lambda:REGION:ACCOUNT:function:NAME, with or without :ALIAS, and ` +
        `stage variables in name and alias only${arn === template ? '' : ` (it became "${arn}")`}`,
    )
  }
  return arn
}
