/**
 * How a slice of an API is mounted. Each route states everything about itself in one place: `operationId`, `summary`,
 * `tags`, the scope it needs, params, query, body and the answer for every status. A check at start-up refuses a route
 * that leaves something out: what is not declared can neither be documented nor be kept from leaking.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import Type, { type TProperties, type TSchema } from 'typebox'

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** A slice takes what it needs, by narrow types, and returns a plugin for Fastify. */
export type Slice<Dependencies> = (deps: Dependencies) => (app: Api) => Promise<void>

/** An object that refuses members it does not know, instead of stripping them. */
export const Exact = <P extends TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false })

export const OneOf = <const T extends readonly string[]>(...values: T) => Type.Enum([...values] as unknown as T)

export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
