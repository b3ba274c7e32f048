/** What SAM makes besides and lets a template refer to. Nothing comes of it here; only the names are known. */
import { isMembers, type Members } from '../document.ts'
import { propertiesOf } from './functions.ts'

type Written = readonly (readonly [string, Members])[]

/** @param aliases receives the names that are written with a dot */
export function namedBesides(
  functions: Written,
  written: Written,
  aliases: Record<string, string>,
): Readonly<Record<string, unknown>> {
  const named: Record<string, unknown> = {}
  const name = (id: string, Type: string, { Condition }: Members): void => {
    named[id] = { Type, ...(Condition === undefined ? {} : { Condition }) }
  }
  const nameRest = (id: string, stage: unknown, api: Members): void => {
    const stageId = `${id}${typeof stage === 'string' ? stage.replace(/[^A-Za-z0-9]/g, '') : ''}Stage`
    name(stageId, 'AWS::ApiGateway::Stage', api)
    aliases[`${id}.Stage`] = stageId
  }
  for (const [id, resource] of functions) {
    const { Role, FunctionUrlConfig, Events } = propertiesOf(resource)
    if (Role === undefined) name(`${id}Role`, 'AWS::IAM::Role', resource)
    if (FunctionUrlConfig !== undefined) name(`${id}Url`, 'AWS::Lambda::Url', resource)
    if (!isMembers(Events) || !Object.values(Events).some(isOfImplicitRest)) continue
    name('ServerlessRestApi', 'AWS::Serverless::Api', {})
    nameRest('ServerlessRestApi', 'Prod', {})
  }
  for (const [id, resource] of written) {
    if (resource.Type === 'AWS::Serverless::Api') nameRest(id, propertiesOf(resource).StageName, resource)
  }
  return named
}

const isOfImplicitRest = (event: unknown): boolean =>
  isMembers(event) && event.Type === 'Api' && propertiesOf(event).RestApiId === undefined
