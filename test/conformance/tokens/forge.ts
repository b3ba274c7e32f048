/** Makes the token that a vector describes, as its honest issuer or as a forger would. */
import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export interface Vector {
  name: string
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  append?: { header?: string; claims?: string }
  sign?: string
  edit?: string
  kit: string
  differs?: Partial<Record<'gateway' | 'management' | 'userinfo', { accepts?: true; status?: number; because: string }>>
}

/** Whose honest tokens the vectors start from. */
export interface Origin {
  issuer: string
  audience: string
  kid: string
  key: KeyObject
  claims: Record<string, unknown>
  now: () => Date
  trap: string
}

const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const encode = (text: string) => Buffer.from(text).toString('base64url')

export function forge(vector: Vector, origin: Origin): string {
  const seconds = Math.floor(origin.now().getTime() / 1000)
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value === '{ownJwk}' ? stranger.publicKey.export({ format: 'jwk' }) : filled(value)
    if (Array.isArray(value)) return value.map(fill)
    if (typeof value !== 'object' || value === null) return value
    if ('seconds' in value) return seconds + (value.seconds as number)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fill(member)]))
  }
  const filled = (text: string) =>
    text
      .replaceAll('{issuer}', origin.issuer)
      .replaceAll('{issuer-bare}', origin.issuer.slice(0, -1))
      .replaceAll('{issuer-lookalike}', origin.issuer.replace('t', 'т'))
      .replaceAll('{audience}', origin.audience)
      .replaceAll('{AUDIENCE}', origin.audience.toUpperCase())
      .replaceAll('{trap}', origin.trap)
  const written = (members: Record<string, unknown>, changes: Record<string, unknown> = {}, append = '') => {
    const all = Object.entries({ ...members, ...changes }).filter(([, value]) => value !== null)
    const text = all.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(fill(value))}`)
    return `{${[...text, ...(append === '' ? [] : [filled(append)])].join(',')}}`
  }

  const pad = vector.edit === 'oversized' ? { pad: 'p'.repeat(9000) } : {}
  const base = { iss: origin.issuer, aud: origin.audience, iat: seconds, exp: seconds + 600, ...origin.claims, ...pad }
  const head = encode(written({ alg: 'RS256', typ: 'JWT', kid: origin.kid }, vector.header, vector.append?.header))
  const claims = written(base, vector.claims, vector.append?.claims)
  const inner = encode(claims)
  const body =
    vector.edit === 'bom'
      ? encode(`\uFEFF${claims}`)
      : vector.edit === 'list'
        ? encode(`[${claims}]`)
        : vector.edit === 'nested'
          ? encode(`"${head}.${inner}.${signed('key', `${head}.${inner}`, origin.key)}"`)
          : inner
  const input = `${head}.${body}`
  return edited(vector.edit, head, body, signed(vector.sign ?? 'key', input, origin.key))
}

function signed(how: string, input: string, key: KeyObject): string {
  const bytes = Buffer.from(input)
  const publicKey = createPublicKey(key)
  const hmac = (secret: string | Buffer) => createHmac('sha256', secret).update(bytes).digest('base64url')
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const ways: Record<string, () => string> = {
    key: () => sign('sha256', bytes, key).toString('base64url'),
    rs512: () => sign('sha512', bytes, key).toString('base64url'),
    pss: () => sign('sha256', bytes, { key, ...pss }).toString('base64url'),
    none: () => '',
    other: () => sign('sha256', bytes, stranger.privateKey).toString('base64url'),
    ec: () => sign('sha256', bytes, { key: curve.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
    'ec-zero': () => Buffer.alloc(64).toString('base64url'),
    'hmac-pem': () => hmac(publicKey.export({ format: 'pem', type: 'spki' })),
    'hmac-jwk': () => hmac(JSON.stringify(publicKey.export({ format: 'jwk' }))),
    'hmac-empty': () => hmac(''),
  }
  return ways[how]!()
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

function edited(edit: string | undefined, head: string, body: string, signature: string): string {
  const token = `${head}.${body}.${signature}`
  // 256 bytes leave four bits of the last character unused.
  const other = ALPHABET[ALPHABET.indexOf(signature.at(-1)!) ^ 1]
  const ways: Record<string, () => string> = {
    'pad-signature': () => `${token}==`,
    'pad-header': () => `${head}=.${body}.${signature}`,
    twin: () => token.slice(0, -1) + other,
    // A signature without any of the two letters is as good in both alphabets; then the token says nothing.
    plus: () => (/[-_]/.test(signature) ? token.replaceAll('-', '+').replaceAll('_', '/') : `${token}+`),
    fourth: () => `${token}.x`,
    two: () => `${head}.${body}`,
    jwe: () => `${head}.${body}.${body}.${body}.${signature}`,
    changed: () =>
      `${head}.${encode(Buffer.from(body, 'base64url').toString().replace('"sub":"', '"sub":"x'))}.${signature}`,
  }
  return ways[edit ?? '']?.() ?? token
}
