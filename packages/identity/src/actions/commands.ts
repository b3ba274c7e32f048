export const applyPostLogin = (_: any): any => ({
  idTokenClaims: {},
  accessTokenClaims: {},
  scopes: { add: [], remove: [] },
  userMetadata: {},
  appMetadata: {},
})
