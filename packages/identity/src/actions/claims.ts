/**
 * Which claims an Action may not set. A reserved name is dropped without failing the login, as Auth0 does: the server's
 * own claims decide about access, and no customer code may speak for them.
 */
const RESERVED = new Set(
  (
    'acr act active amr at_hash ath attest aud auth_time authorization_details azp c_hash client_id cnf cty dest ' +
    'entitlements events exp groups gty htm htu iat internalService iss jcard jku jti jwe jwk kid may_act mky nbf nonce ' +
    'object_id org_id org_name orig origid permissions roles rph s_hash sid sip_callid sip_cseq_num sip_date sip_from_tag ' +
    'sip_via_branch sub sub_jwk toe txn typ uuid vot vtm x5t#S256 ' +
    // Ours: `scope` has its own commands, and the session tags decide which rows AWS credentials may touch.
    'scope https://aws.amazon.com/tags'
  ).split(' '),
)

const AUTH0_HOSTS = ['auth0.com', 'webtask.io', 'webtask.run']

/** True for names that belong to the server or to namespaces that Auth0 keeps for itself. */
export function isReservedClaim(name: string): boolean {
  if (RESERVED.has(name)) return true
  if (/^urn:auth0(:|$)/i.test(name)) return true
  if (!/^https?:/i.test(name)) return false
  const url = URL.parse(name)
  if (!url) return false
  // The parsed form is compared too: `https://AWS.amazon.com/tags` names the same resource to a lenient reader.
  if (RESERVED.has(url.href)) return true
  return AUTH0_HOSTS.some((host) => url.hostname === host || url.hostname.endsWith(`.${host}`))
}
