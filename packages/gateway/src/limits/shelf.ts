import type { Bucket } from './bucket.ts'

/** Buckets by name, in bounded memory. */
export interface Shelf {
  at(name: string, now: number): Bucket
}

// How many of those used longest ago are looked at before a newcomer is sent to the bucket they share.
const looked = 8
// Moving a bucket to the end costs more than taking from it; to ten seconds is close enough to say who came longest ago.
const moveMs = 10_000

interface Place {
  readonly bucket: Bucket
  movedAt: number
}

/**
 * Keeps as many buckets as it has room for. Only a full one is ever forgotten, because whoever comes back begins with a
 * full one: otherwise an emptied bucket could be filled by calling under many other names. Without room, newcomers share
 * one bucket until there is.
 */
export function createShelf(capacity: number, create: (name: string) => Bucket): Shelf {
  const buckets = new Map<string, Place>()
  const crowd = create('')

  const makeRoom = (now: number): boolean => {
    let left = looked
    for (const [name, { bucket }] of buckets) {
      if (bucket.isFull(now)) {
        buckets.delete(name)
        return true
      }
      if (--left === 0) return false
    }
    return false
  }

  return {
    at: (name, now) => {
      const known = buckets.get(name)
      if (known !== undefined) {
        if (now - known.movedAt > moveMs) {
          // A map remembers the order of insertion: the one used longest ago comes first.
          known.movedAt = now
          buckets.delete(name)
          buckets.set(name, known)
        }
        return known.bucket
      }
      if (buckets.size >= capacity && !makeRoom(now)) return crowd
      const bucket = create(name)
      buckets.set(name, { bucket, movedAt: now })
      return bucket
    },
  }
}
