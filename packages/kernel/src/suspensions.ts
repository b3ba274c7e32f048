/** One reader of the issuer's list for the gateway and for services that use the kit. */
export { followSuspensions } from '@tenantry/tenancy/suspension-feed'
