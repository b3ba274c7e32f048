/** Puts the older SDK where a test can call it. */
import auth0 from 'auth0-js'

globalThis.auth0 = auth0
