/**
 * Every answer the gateway gives by itself, in one table, so that a text can be corrected in one place. `confirmed`
 * says whether AWS documents or was seen to send exactly this; the others are the best reading of what is documented.
 * That some carry `content-type` and some do not is AWS's own difference, and clients have been seen to depend on it.
 */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType: boolean
  readonly confirmed: boolean
  /** The rest of the request cannot be trusted or was not read: the connection ends with this answer. */
  readonly closes?: true
}

const message = (text: string): string => JSON.stringify({ message: text })

export const answers = {
  jwtUnauthorized: { status: 401, body: message('Unauthorized'), contentType: false, confirmed: true },
  jwtForbidden: { status: 403, body: message('Forbidden'), contentType: false, confirmed: false },
  // Not AWS's: it knows no organizations.
  suspended: { status: 403, body: message('Forbidden'), contentType: false, confirmed: false },
  suspensionUnknown: { status: 503, body: message('Service Unavailable'), contentType: true, confirmed: false },
  sourceMissing: { status: 401, body: message('Unauthorized'), contentType: true, confirmed: true },
  functionDenied: { status: 403, body: message('Forbidden'), contentType: true, confirmed: true },
  noRoute: { status: 404, body: message('Not Found'), contentType: true, confirmed: true },
  noApi: { status: 404, body: message('Not Found'), contentType: true, confirmed: false },
  throttled: { status: 429, body: message('Too Many Requests'), contentType: true, confirmed: false },
  integrationTooSlow: { status: 503, body: message('Service Unavailable'), contentType: false, confirmed: true },
  integrationUnreachable: { status: 503, body: message('Service Unavailable'), contentType: false, confirmed: false },
  failed: { status: 500, body: message('Internal Server Error'), contentType: true, confirmed: true },
  malformed: { status: 400, body: message('Bad Request'), contentType: true, confirmed: false },
  smuggled: { status: 400, body: message('Bad Request'), contentType: true, confirmed: false, closes: true },
  tooSlow: { status: 408, body: message('Request Timeout'), contentType: true, confirmed: false, closes: true },
  // AWS ends the handshake, or so it seems, and names 403 as well: an answer can be understood.
  certificateRefused: { status: 403, body: message('Forbidden'), contentType: true, confirmed: false, closes: true },
  misdirected: { status: 421, body: message('Misdirected Request'), contentType: true, confirmed: false, closes: true },
  expectation: { status: 417, body: message('Expectation Failed'), contentType: true, confirmed: false, closes: true },
  bodyTooLarge: {
    status: 413,
    body: message('Request Entity Too Large'),
    contentType: true,
    confirmed: false,
    closes: true,
  },
  // The request was read whole, but a function may be given less than a gateway accepts.
  eventTooLarge: { status: 413, body: message('Request Entity Too Large'), contentType: true, confirmed: false },
  headTooLarge: {
    status: 431,
    body: message('Request Header Fields Too Large'),
    contentType: true,
    confirmed: false,
    closes: true,
  },
} as const satisfies Record<string, Answer>
