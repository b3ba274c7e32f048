/** HS256, HS384 and HS512: what `crypto` can do here. Keys of the other algorithms are refused by name. */
import jsonwebtoken from 'jsonwebtoken'

export const modules = { jsonwebtoken }
