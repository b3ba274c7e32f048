/** All attacks, in their order: plain ones first, because what they find hides what finer ones would. */
import type { Attack } from './attack.ts'
import { batch, bodyReference, bodyTenant, filterObject, move } from './bodies.ts'
import { cacheValidator, publicCache, sharedCache } from './caches.ts'
import { connection, race } from './connections.ts'
import { cursor } from './cursors.ts'
import { figures } from './figures.ts'
import { fileName } from './file-names.ts'
import { createUnder, deleteById, nestedId, readById, updateById } from './ids.ts'
import { methodOverride } from './methods.ts'
import { existence, uniqueness } from './oracles.ts'
import { plain } from './plain.ts'
import { queryReference, queryRepeated, queryWidening } from './queries.ts'
import { spelling } from './spellings.ts'
import { headerTenant, hostTenant, queryTenant, wrongHost } from './tenant-names.ts'
import { badToken, expiredToken, forgedToken, noToken } from './tokens.ts'

/** Their findings say what the findings of others mean. */
export const groundwork: ReadonlySet<Attack> = new Set([plain, readById, sharedCache])

export const attacks: readonly Attack[] = [
  plain,
  readById,
  sharedCache,
  updateById,
  deleteById,
  createUnder,
  nestedId,
  spelling,
  queryTenant,
  headerTenant,
  hostTenant,
  wrongHost,
  queryReference,
  queryRepeated,
  queryWidening,
  bodyTenant,
  move,
  bodyReference,
  batch,
  filterObject,
  cursor,
  fileName,
  methodOverride,
  noToken,
  badToken,
  forgedToken,
  expiredToken,
  cacheValidator,
  publicCache,
  connection,
  race,
  existence,
  uniqueness,
  figures,
]
