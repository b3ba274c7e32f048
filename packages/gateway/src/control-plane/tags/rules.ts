import { badRequest } from '../problems.ts'

const mostTags = 50

/** @throws Problem BadRequestException */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags)
  if (entries.length > mostTags) throw badRequest(`A resource has at most ${mostTags} tags`)
  const odd = entries.find(([key, value]) => key === '' || key.length > 128 || value.length > 256)
  if (odd !== undefined) throw badRequest('A tag has a key of 1 to 128 and a value of at most 256 characters')
  if (entries.some(([key]) => key.toLowerCase().startsWith('aws:'))) {
    throw badRequest("Tag keys that start with 'aws:' are reserved")
  }
}
