/**
 * The address that an answer goes to: what the client registered, to the letter, with members behind it (RFC 6749 §3.1.2).
 * A space is `%20`, as at Auth0 and as in any address, never `+`: not every client reads a query as a form. auth0-spa-js 1
 * does not, nor do the URL readers of phones.
 */
export const queried = (address: string, members: Readonly<Record<string, string>>): string => {
  const target = new URL(address)
  target.search = [target.search.slice(1), encoded(members)].filter(Boolean).join('&')
  return target.href
}

export const encoded = (members: Readonly<Record<string, string>>): string =>
  new URLSearchParams(members).toString().replaceAll('+', '%20')
