/** Reads the form of an import. The file goes to the database while it arrives; the fields may stand before or after it. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyFileStream, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy'
import { Compile } from 'typebox/compile'
import { problems } from '../rules.ts'
import { ImportForm } from './schema.ts'

/** Room for 100,000 users with two kilobytes each. */
export const MAXIMUM_FILE_BYTES = 200_000_000

let compiled: ReturnType<typeof compileForm> | undefined
const compileForm = () => Compile(ImportForm)
const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })
const tooLarge = () => problems.payload_too_large({ facts: { bytes: MAXIMUM_FILE_BYTES } })

/**
 * @param store takes the file as it comes
 * @throws Problem `invalid_body`, `payload_too_large`
 */
export async function readUpload(
  headers: IncomingHttpHeaders,
  body: Readable,
  store: (file: AsyncIterable<Buffer>) => Promise<unknown>,
): Promise<ImportForm> {
  if (Number(headers['content-length'] ?? 0) > MAXIMUM_FILE_BYTES + 65_536) throw tooLarge()
  let parser: BusboyInstance
  try {
    parser = new Busboy({
      headers: headers as BusboyHeaders,
      limits: {
        fieldNameSize: 100,
        fieldSize: 1024,
        fields: 10,
        files: 1,
        parts: 12,
        headerPairs: 20,
        headerSize: 8192,
        fileSize: MAXIMUM_FILE_BYTES,
      },
    })
  } catch (cause) {
    throw problems.invalid_body({ facts: { reason: 'the form is no multipart/form-data with a boundary.' }, cause })
  }
  const fields = new Map<string, string>()
  let wrong: Error | undefined
  let stored: Promise<unknown> | undefined
  const fail = (error: Error) => {
    wrong ??= error
    parser.destroy(error)
  }
  parser.on('field', (name, value, _nameCut, valueCut) => {
    if (fields.has(name)) fail(refuse(`'${name.slice(0, 60)}' is sent more than once.`))
    else if (valueCut) fail(refuse(`'${name.slice(0, 60)}' is too long.`))
    else fields.set(name, value)
  })
  parser.on('file', (name, file) => {
    file.on('error', () => {})
    if (name !== 'users') return fail(refuse(`'${String(name).slice(0, 60)}' must not be a file.`))
    stored = store(guarded(file)).catch((error: Error) => fail(error))
  })
  parser.on('filesLimit', () => fail(refuse("'users' is sent more than once.")))
  parser.on('fieldsLimit', () => fail(refuse('there are too many fields.')))
  parser.on('partsLimit', () => fail(refuse('there are too many parts.')))
  try {
    await pipeline(body, parser)
  } catch (cause) {
    wrong ??= problems.invalid_body({ facts: { reason: 'the form breaks off.' }, cause })
  }
  await stored
  if (wrong) throw wrong
  const given = Object.fromEntries(fields)
  compiled ??= compileForm()
  const form = compiled
  if (!form.Check(given)) throw refuse(describe(form.Errors(given).find(({ keyword }) => keyword !== 'boolean')))
  if (!stored) throw refuse("'users' is missing; send it as a file.")
  return given
}

async function* guarded(file: BusboyFileStream): AsyncGenerator<Buffer> {
  for await (const chunk of file) yield chunk as Buffer
  if (file.truncated) throw tooLarge()
}

function describe(error: { keyword: string; instancePath: string; message: string; params: object } | undefined) {
  if (error && 'additionalProperties' in error.params) {
    return `there is no field '${String((error.params.additionalProperties as string[])[0]).slice(0, 60)}'.`
  }
  if (error && 'requiredProperties' in error.params) {
    return `'${(error.params.requiredProperties as string[])[0]}' is missing.`
  }
  return `'${error?.instancePath.slice(1, 61) ?? 'the form'}' ${error?.message ?? 'is not valid'}.`
}
