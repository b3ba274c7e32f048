/** What the SDK's own quick start shows: a button to sign in, a profile, a call for a token, a button to sign out. */
import { Auth0Provider, useAuth0 } from '@auth0/auth0-react'
import { useState } from 'react'
import { createRoot } from 'react-dom/client'

const settings = JSON.parse(sessionStorage.getItem('settings') ?? '{}')

function App() {
  const { isLoading, isAuthenticated, user, error, loginWithRedirect, getAccessTokenSilently, logout } = useAuth0()
  const [token, setToken] = useState('')
  if (error) return <p id="error">{error.message}</p>
  if (isLoading) return <p>Loading</p>
  if (!isAuthenticated) {
    return (
      <button type="button" id="login" onClick={() => loginWithRedirect()}>
        Log in
      </button>
    )
  }
  return (
    <>
      <p id="user">{`${user?.email} ${user?.org_id}`}</p>
      <p id="token">{token}</p>
      <button
        type="button"
        id="call"
        onClick={async () => setToken(await getAccessTokenSilently({ cacheMode: 'off' }))}
      >
        Get a token
      </button>
      <button
        type="button"
        id="logout"
        onClick={() => logout({ logoutParams: { returnTo: `${location.origin}/react` } })}
      >
        Log out
      </button>
    </>
  )
}

createRoot(document.getElementById('root')!).render(
  <Auth0Provider
    domain={settings.domain}
    clientId={settings.clientId}
    authorizationParams={{ redirect_uri: `${location.origin}/react`, ...settings.authorizationParams }}
  >
    <App />
  </Auth0Provider>,
)
