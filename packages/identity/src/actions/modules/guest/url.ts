// @ts-expect-error It comes without types.
import * as whatwg from 'whatwg-url'

interface Parameters {
  append(name: string, value: string): void
  toString(): string
}
const { URL, URLSearchParams } = whatwg as unknown as {
  URL: new (url: string, base?: string) => { href: string; protocol: string; username: string; password: string }
  URLSearchParams: new (init?: unknown) => Parameters
}

// Newer members of Node's that the package leaves to others.
const statics = URL as unknown as Record<string, unknown>
statics.canParse ??= (url: string, base?: string): boolean => {
  try {
    return new URL(url, base) instanceof URL
  } catch {
    return false
  }
}

export { URL, URLSearchParams }
export const globals = { URL, URLSearchParams }
export const modules = { url: { URL, URLSearchParams } }
