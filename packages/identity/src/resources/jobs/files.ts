/**
 * Files of jobs, in sealed pieces of one size in the database: any process can go on with them, nothing of people is on
 * a disk, and no more than a piece is ever in memory.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import * as store from './store.ts'

/** Bytes of a piece of an uploaded file, all but the last: an offset tells the piece. */
export const PIECE_BYTES = 256 * 1024

interface Place {
  environment_id: string
  id: string
}

const context = (job: Place, sequence: number) => `${job.environment_id}/job/${job.id}/${sequence}`

export const sealPiece = (secrets: Secrets, job: Place, sequence: number, plain: Uint8Array): Buffer =>
  secrets.sealBytes(context(job, sequence), plain)

interface Storage {
  database: Database
  secrets: Secrets
}

/** Cuts a stream into pieces and stores each in a transaction of its own: a slow sender must not hold a connection. */
export async function writePieces(
  { database, secrets }: Storage,
  job: Place,
  source: AsyncIterable<Buffer>,
  stored: () => Promise<unknown>,
): Promise<number> {
  let sequence = 0
  let bytes = 0
  let held: Buffer[] = []
  let heldBytes = 0
  const flush = async (piece: Buffer) => {
    const sealed = sealPiece(secrets, job, sequence, piece)
    await database.inEnvironment(job.environment_id, (tx) =>
      store.insertPiece(tx, job.environment_id, job.id, sequence, sealed),
    )
    sequence++
    await stored()
  }
  for await (const chunk of source) {
    bytes += chunk.length
    held.push(chunk)
    heldBytes += chunk.length
    if (heldBytes < PIECE_BYTES) continue
    const all = Buffer.concat(held)
    let at = 0
    for (; all.length - at >= PIECE_BYTES; at += PIECE_BYTES) await flush(all.subarray(at, at + PIECE_BYTES))
    held = [all.subarray(at)]
    heldBytes = all.length - at
  }
  if (heldBytes > 0) await flush(Buffer.concat(held))
  return bytes
}

/** The pieces from one on, each read when it is needed. */
export async function* readPieces({ database, secrets }: Storage, job: Place, from = 0): AsyncGenerator<Buffer> {
  for (let sequence = from; ; sequence++) {
    const sealed = await database.inEnvironment(job.environment_id, (tx) => store.readPiece(tx, job.id, sequence))
    if (!sealed) return
    yield secrets.openBytes(context(job, sequence), sealed)
  }
}

/** An uploaded file from an offset on. */
export async function* readFrom(storage: Storage, job: Place, offset: number): AsyncGenerator<Buffer> {
  let skip = offset % PIECE_BYTES
  for await (const piece of readPieces(storage, job, Math.floor(offset / PIECE_BYTES))) {
    yield skip === 0 ? piece : piece.subarray(skip)
    skip = 0
  }
}
