/**
 * CloudFormation templates, read into APIs and the functions they invoke. Only what concerns them is computed; of all
 * other resources it is enough that they are there.
 */
import type { Api } from '../../api.ts'
import type { Discover } from '../../authorizers/discovery.ts'
import { isMembers, type Members, parseSource, rootOf } from '../document.ts'
import { type ReadFile, rootOfFile } from '../files.ts'
import { accepted, type Findings } from '../openapi.ts'
import { createReport, type Place, placeIn, type Report, type Source } from '../report.ts'
import { isIntrinsic } from '../sam/globals.ts'
import { withOrigins } from '../sam/origins.ts'
import { isSam, type Rewritten, rewriteSam } from '../sam/sam.ts'
import { readApis } from './apis.ts'
import { type FunctionSource, readFunctions } from './functions.ts'
import { takeIn } from './include.ts'
import { shortForms } from './short-forms.ts'
import { createTemplate, type Template, type TemplateValues } from './template.ts'

export interface TemplateOptions extends Partial<TemplateValues> {
  /** What complaints call the document. */
  readonly file?: string
  readonly discover: Discover
  /** Reads a file that the template names (`AWS::Include`, `DefinitionUri` of SAM). */
  readonly readFile?: ReadFile
  readonly failOnWarnings?: boolean
  /** Refuse what goes beyond AWS. */
  readonly strict?: boolean
}

export interface LoadedTemplate extends Findings {
  /** One for each stage of each API. */
  readonly apis: readonly Api[]
  readonly functions: readonly FunctionSource[]
}

/** Where an API answers whose template names no domain: resolves to this machine. */
export const defaultHostSuffix = 'execute-api.localhost'

/**
 * Reads a CloudFormation template (YAML, with its short forms, or JSON), as `cdk synth` writes it too, or a SAM template.
 *
 * @throws Problem `definition_refused` with every error and its place
 */
export async function loadTemplate(text: string, options: TemplateOptions): Promise<LoadedTemplate> {
  const report = createReport()
  const source = parseSource(text, options.file ?? 'template', shortForms)
  const root = rootOf(source, (at) => placeIn(report, at))
  const files = { report, readFile: options.readFile }
  const whole = root === null ? null : takeIn(root, source, placeIn(report, source), files)
  const read = whole === null ? null : await readTemplate(whole.root, whole.source, report, options)
  return { ...accepted(read, report, options), info: report.info, warnings: report.warnings }
}

async function readTemplate(
  written: Members,
  source: Source,
  report: Report,
  options: TemplateOptions,
): Promise<Pick<LoadedTemplate, 'apis' | 'functions'> | null> {
  const { parameters = {}, imports = {}, variables = {}, apiIds = {}, hostSuffix = defaultHostSuffix } = options
  const values = { parameters, imports, variables, apiIds, hostSuffix }
  const sam = isSam(written) ? fromSam(written, source, report, options) : null
  if (isSam(written) && sam === null) return null
  const plain = { root: written, aliases: {}, place: placeIn(report, source), besides: new Set<string>() }
  const { root, aliases, place, besides } = sam ?? plain
  const template = createTemplate(root, place, values, aliases)
  if (template === null) return null
  const apis = await readApis(template, {
    discover: remembered(options.discover),
    strict: options.strict === true,
    values,
  })
  if (apis.length === 0) place.in('Resources').warn('defines no HTTP API')
  reportOthers(
    template.resources.filter(({ logicalId }) => !besides.has(logicalId)),
    place.in('Resources'),
  )
  return { apis, functions: readFunctions(template) }
}

function fromSam(
  root: Members,
  source: Source,
  report: Report,
  { readFile, parameters = {} }: TemplateOptions,
): (Pick<Rewritten, 'root' | 'aliases' | 'besides'> & { place: Place }) | null {
  const files = new Map<string, Source>()
  const readBody = (path: unknown, place: Place): Members | null => {
    const file = rootOfFile(path, place, { report, readFile })
    if (file === null) return null
    tellOfFunctions(file.content, placeIn(report, file.source))
    // Where the content stands once it is taken in: beside the member that names it.
    files.set(place.at.replace(/DefinitionUri$/, 'Body'), file.source)
    return file.content
  }
  const rewritten = rewriteSam(root, placeIn(report, source), { readBody, parameters })
  if (rewritten === null) return null
  const place = placeIn(report, withOrigins(source, rewritten.origins, files))
  return { ...rewritten, place }
}

/** AWS takes such a file as it is: a function in it would be nobody's to compute. */
function tellOfFunctions(value: unknown, place: Place): void {
  if (isIntrinsic(value)) {
    place.error('is not computed by AWS in a file that DefinitionUri names: include the file in DefinitionBody')
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) tellOfFunctions(item, place.in(index))
  } else if (isMembers(value)) {
    for (const [name, item] of Object.entries(value)) tellOfFunctions(item, place.in(name))
  }
}

function reportOthers(resources: Template['resources'], place: Place): void {
  const isOurs = /^AWS::ApiGatewayV2::|^AWS::Lambda::(Function|Alias|Version)$/
  const types = new Set(resources.map(({ type }) => type).filter((type) => !isOurs.test(type)))
  const isRest = (type: string): boolean => type.startsWith('AWS::ApiGateway::') || type === 'AWS::Serverless::Api'
  const rest = [...types].filter(isRest)
  if (rest.length > 0) place.warn(`REST APIs are not read: ${rest.sort().join(', ')}`)
  const others = [...types].filter((type) => !isRest(type))
  if (others.length > 0) place.info(`nothing is created of ${others.sort().join(', ')}`)
}

/** An issuer is asked once, however many stages trust it. */
function remembered(discover: Discover): Discover {
  const asked = new Map<string, ReturnType<Discover>>()
  return (url) => {
    const answer = asked.get(url) ?? discover(url)
    asked.set(url, answer)
    return answer
  }
}
