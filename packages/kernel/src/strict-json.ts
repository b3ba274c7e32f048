export { parseStrictObject } from '@tenantry/tenancy/jws'
