/** Public face of `@tenantry/tenancy/names`: objects, files and queues of many tenants in one place. */
export { NameRefused } from './names/encoding.ts'
export { createFileArea, type FileArea } from './names/files.ts'
export { type ObjectKeys, objectKeys } from './names/object-keys.ts'
export {
  createEnvelopes,
  type EnvelopeOptions,
  EnvelopeRefused,
  type Envelopes,
  type Message,
  type Outcome,
  queueName,
} from './names/queues.ts'
