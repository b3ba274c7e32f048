/** Puts the SDK where a test can call it. */
import * as spa from '@auth0/auth0-spa-js'

Object.assign(globalThis, { spa })
