/** What `api.redirect` makes and reads: a JWT signed with HS256 under a secret of the Action's own. */
export interface SessionTokens {
  encode(options: unknown, event: unknown): string
  /** @throws Error that says what is wrong with the token */
  validate(options: unknown, event: unknown): unknown
}

/**
 * Runs INSIDE the customer's isolate and is passed as text, like `guest`: it uses nothing from this module's scope. The
 * isolate has no `crypto`, and no function of the host may enter it, so the hash (FIPS 180-4) stands here; a test
 * compares it with Node's.
 */
export function sessionTokens(): SessionTokens {
  const { parse, stringify } = JSON
  const { apply } = Reflect
  const { charCodeAt, split, indexOf } = String.prototype
  const { floor, cbrt, sqrt, pow } = Math
  const now = Date.now
  const assign = Object.assign
  const isFiniteNumber = Number.isFinite
  const TypeErrorHere = TypeError
  const ErrorHere = Error
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

  // The first 32 bits of the fractional parts of roots of the first primes; found when they are needed, which in most
  // runs is never.
  const K: number[] = []
  const START: number[] = []
  const findConstants = (): void => {
    for (let candidate = 2; K.length < 64; candidate++) {
      let isPrime = true
      for (let factor = 2; factor * factor <= candidate; factor++) if (candidate % factor === 0) isPrime = false
      if (!isPrime) continue
      const root = sqrt(candidate)
      if (START.length < 8) START[START.length] = ((root - floor(root)) * pow(2, 32)) | 0
      const cube = cbrt(candidate)
      K[K.length] = ((cube - floor(cube)) * pow(2, 32)) | 0
    }
  }

  const utf8 = (text: string): number[] => {
    const bytes: number[] = []
    const put = (byte: number) => {
      bytes[bytes.length] = byte
    }
    for (let at = 0; at < text.length; at++) {
      let code = apply(charCodeAt, text, [at]) as number
      if (code >= 0xd800 && code <= 0xdfff) {
        const low = code < 0xdc00 && at + 1 < text.length ? (apply(charCodeAt, text, [at + 1]) as number) : 0
        if (low >= 0xdc00 && low <= 0xdfff) {
          code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00)
          at++
        } else code = 0xfffd
      }
      if (code < 0x80) put(code)
      else {
        if (code < 0x800) put(0xc0 | (code >> 6))
        else {
          if (code < 0x10000) put(0xe0 | (code >> 12))
          else {
            put(0xf0 | (code >> 18))
            put(0x80 | ((code >> 12) & 63))
          }
          put(0x80 | ((code >> 6) & 63))
        }
        put(0x80 | (code & 63))
      }
    }
    return bytes
  }

  const sha256 = (message: number[]): number[] => {
    findConstants()
    const state: number[] = []
    for (let at = 0; at < 8; at++) state[at] = START[at]!
    const words: number[] = []
    const padded = floor((message.length + 8) / 64) * 16 + 16
    for (let at = 0; at < padded; at++) words[at] = 0
    const put = (byte: number, at: number) => {
      words[at >> 2] = words[at >> 2]! | (byte << (24 - 8 * (at & 3)))
    }
    for (let at = 0; at < message.length; at++) put(message[at]!, at)
    put(0x80, message.length)
    words[padded - 2] = floor((message.length * 8) / pow(2, 32))
    words[padded - 1] = (message.length * 8) | 0
    const turn = (word: number, by: number) => (word >>> by) | (word << (32 - by))
    const w: number[] = []
    for (let block = 0; block < padded; block += 16) {
      let a = state[0]!
      let b = state[1]!
      let c = state[2]!
      let d = state[3]!
      let e = state[4]!
      let f = state[5]!
      let g = state[6]!
      let h = state[7]!
      for (let at = 0; at < 64; at++) {
        if (at < 16) w[at] = words[block + at]!
        else {
          const early = w[at - 15]!
          const late = w[at - 2]!
          const s0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)
          const s1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10)
          w[at] = (w[at - 16]! + s0 + w[at - 7]! + s1) | 0
        }
        const sum1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
        const t1 = (h + sum1 + ((e & f) ^ (~e & g)) + K[at]! + w[at]!) | 0
        const sum0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
        const t2 = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
        h = g
        g = f
        f = e
        e = (d + t1) | 0
        d = c
        c = b
        b = a
        a = (t1 + t2) | 0
      }
      const next = [a, b, c, d, e, f, g, h]
      for (let at = 0; at < 8; at++) state[at] = (state[at]! + next[at]!) | 0
    }
    const out: number[] = []
    for (let at = 0; at < 32; at++) out[at] = (state[at >> 2]! >>> (24 - 8 * (at & 3))) & 255
    return out
  }

  /** RFC 2104. */
  const hmac = (secret: string, text: string): number[] => {
    const given = utf8(secret)
    const key = given.length > 64 ? sha256(given) : given
    const joined = (mask: number, rest: number[]): number[] => {
      const bytes: number[] = []
      for (let at = 0; at < 64; at++) bytes[at] = (key[at] ?? 0) ^ mask
      for (let at = 0; at < rest.length; at++) bytes[64 + at] = rest[at]!
      return bytes
    }
    return sha256(joined(0x5c, sha256(joined(0x36, utf8(text)))))
  }

  const base64url = (bytes: number[]): string => {
    let out = ''
    for (let at = 0; at < bytes.length; at += 3) {
      const three = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
      out += ALPHABET[three >> 18]! + ALPHABET[(three >> 12) & 63]!
      if (at + 1 < bytes.length) out += ALPHABET[(three >> 6) & 63]!
      if (at + 2 < bytes.length) out += ALPHABET[three & 63]!
    }
    return out
  }

  /** The text of base64url of UTF-8, read by the engine itself. */
  const textOf = (encoded: string): string => {
    let escaped = ''
    let bits = 0
    let held = 0
    for (let at = 0; at < encoded.length; at++) {
      const value = apply(indexOf, ALPHABET, [encoded[at]]) as number
      if (value < 0) throw invalid('it is not base64url')
      held = (held << 6) | value
      bits += 6
      if (bits < 8) continue
      bits -= 8
      const byte = (held >> bits) & 255
      held &= (1 << bits) - 1
      escaped += `%${HEX[byte >> 4]}${HEX[byte & 15]}`
    }
    return decode(escaped)
  }
  const HEX = '0123456789ABCDEF'
  const decode = decodeURIComponent

  const invalid = (why: string) => new ErrorHere(`The session token is invalid: ${why}.`)

  interface Seen {
    user?: { user_id?: string }
    request?: { hostname?: string; ip?: string; query?: Record<string, string>; body?: Record<string, string> }
  }

  const secretOf = (method: string, options: Record<string, unknown> | null | undefined): string => {
    const secret = options?.secret
    if (typeof secret !== 'string' || secret === '')
      throw new TypeErrorHere(`api.redirect.${method}: options.secret must be a text that is not empty`)
    return secret
  }

  const jsonOf = (part: string): Record<string, unknown> => {
    let value: unknown
    try {
      value = parse(textOf(part))
    } catch {
      throw invalid('it is not a JWT')
    }
    if (typeof value !== 'object' || value === null) throw invalid('it is not a JWT')
    return value as Record<string, unknown>
  }

  return {
    encode(given, event) {
      const options = given as { expiresInSeconds?: unknown; payload?: object } | undefined
      const secret = secretOf('encodeToken', options as Record<string, unknown>)
      const { expiresInSeconds = 900, payload } = options!
      if (typeof expiresInSeconds !== 'number' || !(expiresInSeconds > 0) || !isFiniteNumber(expiresInSeconds))
        throw new TypeErrorHere('api.redirect.encodeToken: options.expiresInSeconds must be a number above 0')
      if (payload !== undefined && (typeof payload !== 'object' || payload === null))
        throw new TypeErrorHere('api.redirect.encodeToken: options.payload must be an object')
      const { user, request } = event as Seen
      const iat = floor(now() / 1000)
      // What the receiver relies on stands last: no payload may speak for somebody else.
      const claims = assign({}, payload, {
        iat,
        iss: request?.hostname,
        sub: user?.user_id,
        exp: iat + floor(expiresInSeconds),
        ip: request?.ip,
      })
      const signed = `${base64url(utf8('{"alg":"HS256","typ":"JWT"}'))}.${base64url(utf8(stringify(claims)))}`
      return `${signed}.${base64url(hmac(secret, signed))}`
    },

    validate(given, event) {
      const options = given as { tokenParameterName?: unknown } | undefined
      const secret = secretOf('validateToken', options as Record<string, unknown>)
      const name = options!.tokenParameterName ?? 'session_token'
      if (typeof name !== 'string')
        throw new TypeErrorHere('api.redirect.validateToken: options.tokenParameterName must be a text')
      const { user, request } = event as Seen
      const token = request?.body?.[name] ?? request?.query?.[name]
      if (typeof token !== 'string') throw new ErrorHere(`There is no session token in the parameter ${name}.`)
      const [head, body, signature, more] = apply(split, token, ['.']) as string[]
      if (head === undefined || body === undefined || signature === undefined || more !== undefined)
        throw invalid('it is not a JWT')
      const header = jsonOf(head)
      if (header.alg !== 'HS256' || header.crit !== undefined) throw invalid('it is not signed with HS256')
      const expected = base64url(hmac(secret, `${head}.${body}`))
      let difference = expected.length ^ signature.length
      for (let at = 0; at < expected.length; at++)
        difference |=
          (apply(charCodeAt, expected, [at]) as number) ^ ((apply(charCodeAt, signature, [at]) as number) | 0)
      if (difference !== 0) throw invalid('its signature does not fit')
      const claims = jsonOf(body)
      const { iat, exp, nbf, sub, iss, state } = claims
      const seconds = now() / 1000
      if (typeof iat !== 'number' || typeof exp !== 'number' || typeof sub !== 'string' || typeof iss !== 'string')
        throw invalid('it lacks one of iat, exp, sub and iss')
      if (exp <= seconds) throw invalid('it has expired')
      if (iat > seconds + 60 || (nbf !== undefined && !((nbf as number) <= seconds + 60)))
        throw invalid('it is not valid yet')
      if (sub !== user?.user_id) throw invalid('it is about somebody else')
      if (typeof state !== 'string' || state !== (request?.query?.state ?? request?.body?.state))
        throw invalid('its state is not that of /continue')
      return claims
    },
  }
}
