import type { Api } from '../api.ts'
import { loadTemplate, type TemplateOptions } from './cloudformation/cloudformation.ts'
import type { FunctionSource } from './cloudformation/functions.ts'
import { shortForms } from './cloudformation/short-forms.ts'
import { isMembers, parseSource } from './document.ts'
import { type DefinitionOptions, type Findings, loadOpenApi } from './openapi.ts'

export interface LoadOptions extends TemplateOptions, Pick<DefinitionOptions, 'basePath' | 'stageVariables'> {
  /** Identifies the API of an OpenAPI document, which has no id of its own. */
  readonly id: string
}

export interface LoadedDefinition extends Findings {
  /** One for each stage of each API. */
  readonly apis: readonly Api[]
  readonly functions: readonly FunctionSource[]
}

/** The format of a definition, by what stands at its root. */
export function formatOf(text: string): 'openapi' | 'template' {
  const { content } = parseSource(text, '', shortForms)
  return isMembers(content) && 'Resources' in content ? 'template' : 'openapi'
}

/**
 * Reads a definition of any format: an OpenAPI document, a CloudFormation or a SAM template.
 *
 * @throws Problem `definition_refused` with every error and its place
 */
export async function loadDefinition(text: string, options: LoadOptions): Promise<LoadedDefinition> {
  if (formatOf(text) === 'template') return loadTemplate(text, options)
  const { api, info, warnings } = await loadOpenApi(text, options)
  return { apis: [api], functions: [], info, warnings }
}
