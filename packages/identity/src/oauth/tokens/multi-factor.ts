/** `acr_values` that ask for a second factor, and the `acr` of tokens after one (OpenID PAPE 1.0 §4). */
export const MULTI_FACTOR = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'
