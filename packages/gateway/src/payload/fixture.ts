/** Fixture: the recorded events and answers of functions, as calls of one API each. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Api, type Authorization, defaultStage } from '../api.ts'
import type { PayloadFormat } from './event.ts'

/**
 *   documented  AWS's documentation says exactly this
 *   captured    somebody saw AWS do exactly this, and published it
 *   guess       our best reading of both; a capture may correct it
 *   extension   beyond AWS, so nothing there can confirm it
 */
export const evidences = ['documented', 'captured', 'guess', 'extension'] as const
export type Evidence = (typeof evidences)[number]

export interface Golden {
  readonly about: string
  readonly evidence: Evidence
  readonly version: PayloadFormat
}

export interface EventCase extends Golden {
  readonly route: string
  readonly stage?: string
  readonly mapping?: string
  readonly variables?: Record<string, string>
  /** Of a route with a JWT authorizer. */
  readonly scopes?: string[]
  readonly custom?: boolean
  readonly caller?: { type: string; claims?: object; scopes?: string[]; context?: object; principalId?: string | null }
  readonly connection?: { address: string; port: number; encrypted: boolean; certificate?: string }
  readonly request: { method: string; target: string; headers: string[]; body?: string; bodyBase64?: string }
}

export interface AnswerCase extends Golden {
  readonly result: unknown
}

export interface Recorded<T> {
  readonly name: string
  readonly input: T
  readonly output: unknown
}

const testdata = path.join(import.meta.dirname, 'testdata')
export const readRecorded = (file: string): string => readFileSync(path.join(testdata, file), 'utf8')

const recorded = <T>(kind: string): Recorded<T>[] =>
  readdirSync(path.join(testdata, kind)).map((name) => ({
    name,
    input: JSON.parse(readRecorded(`${kind}/${name}/in.json`)),
    output: JSON.parse(readRecorded(`${kind}/${name}/out.json`)),
  }))

export const recordedEvents: readonly Recorded<EventCase>[] = recorded('events')
export const recordedAnswers: readonly Recorded<AnswerCase>[] = recorded('answers')

/** An API with one route, which leads to one function. */
export function eventApi(input: Pick<EventCase, 'version' | 'route'> & Partial<EventCase>): Api {
  const authorization: Authorization =
    input.scopes !== undefined
      ? { type: 'JWT', authorizer: 'any', scopes: input.scopes }
      : input.custom === true
        ? { type: 'CUSTOM', authorizer: 'any' }
        : { type: 'NONE' }
  const stageName = input.stage ?? '$default'
  return {
    name: 'shop',
    description: null,
    version: null,
    tags: {},
    cors: null,
    disableExecuteApiEndpoint: false,
    id: 'shop',
    accountId: '000000000001',
    region: 'eu-central-1',
    stage: { ...defaultStage(input.variables), name: stageName },
    endpoints: [
      input.mapping === undefined
        ? { host: null, basePath: stageName === '$default' ? '' : stageName, kind: 'stage' }
        : { host: null, basePath: input.mapping, kind: 'mapping' },
    ],
    routes: [{ key: input.route, integration: 'one', authorization }],
    authorizers: {
      any:
        input.custom === true
          ? {
              type: 'REQUEST',
              functionArn: 'arn:aws:lambda:eu-central-1:000000000001:function:allow',
              payloadFormatVersion: '2.0',
              enableSimpleResponses: true,
              identitySource: [],
              resultTtlSeconds: 0,
              credentialsArn: null,
            }
          : { type: 'JWT', issuer: 'any', audience: [], identitySource: { from: 'header', name: 'authorization' } },
    },
    integrations: {
      one: {
        type: 'AWS_PROXY',
        functionArn: 'arn:aws:lambda:eu-central-1:000000000001:function:shop',
        payloadFormatVersion: input.version,
        timeoutMs: 30_000,
        requestParameters: {},
        responseParameters: {},
        credentialsArn: null,
      },
    },
  }
}
