/** The kit's reading of tokens is the servers' as well: where two parsers differ, one of them is fooled. */
export { type DecodedToken, decodeToken, MAX_TOKEN_LENGTH } from '@tenantry/tenancy/jws'
