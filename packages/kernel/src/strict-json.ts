/** JSON that no two parsers read differently: tokens, bodies and what is mapped out of them are read by the same rule. */
export { hasDuplicateMember, parseStrictObject } from '@tenantry/tenancy/jws'
