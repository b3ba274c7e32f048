/** Words that are paths of the web app or mean something as a sub-domain. */
const RESERVED = new Set([
  'www',
  'api',
  'app',
  'login',
  'callback',
  'register',
  'error',
  't',
  'localhost',
  'admin',
  'mail',
])

/**
 * The name of a company as organization name, sub-domain and path: lower case, spaces to hyphens, accents off, and what
 * is left must be 1 to 50 of a-z, 0-9, _ and -, beginning with a letter or digit. Undefined when nothing usable is left.
 */
export function slugOf(companyName: string): string | undefined {
  const slug = companyName
    .normalize('NFKD')
    .toLowerCase()
    .trim()
    .replace(/\s+/g, '-')
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/-{2,}/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 50)
    .replace(/-+$/, '')
  return slug === '' || RESERVED.has(slug) ? undefined : slug
}
