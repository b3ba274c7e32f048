// Passkeys and security keys. Where a browser knows none, pages stay as they are without this file.
const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '')
const named = (list) => list?.map((one) => ({ ...one, id: decode(one.id) }))

const ask = async (kind, options, more) => {
  const publicKey = { ...options, challenge: decode(options.challenge) }
  if (options.user) publicKey.user = { ...options.user, id: decode(options.user.id) }
  if (options.allowCredentials) publicKey.allowCredentials = named(options.allowCredentials)
  if (options.excludeCredentials) publicKey.excludeCredentials = named(options.excludeCredentials)
  const made = await navigator.credentials[kind]({ publicKey, ...more })
  const response = { clientDataJSON: encode(made.response.clientDataJSON) }
  for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (made.response[name]) response[name] = encode(made.response[name])
  }
  if (made.response.getTransports) response.transports = made.response.getTransports()
  const { id, type, authenticatorAttachment } = made
  return { id, rawId: id, type, authenticatorAttachment, clientExtensionResults: {}, response }
}

if (window.PublicKeyCredential) {
  for (const input of document.querySelectorAll('[name=webauthn-available]')) input.value = 'true'
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const options = JSON.parse(form.dataset.options)
    const failed = form.querySelector('[data-passkey-failed]')
    const send = (answer) => {
      form.elements.passkey.value = JSON.stringify(answer)
      form.requestSubmit()
    }
    // A form whose passkeys stand in the suggestions of the address field: only one question may be open at a time.
    let waiting
    const suggest = async () => {
      if (form.dataset.suggest !== 'true' || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return
      waiting = new AbortController()
      ask('get', options, { mediation: 'conditional', signal: waiting.signal }).then(send, () => {})
    }
    const button = form.querySelector('button')
    if (button) {
      form.hidden = false
      document.querySelector('[data-passkey-divider]')?.removeAttribute('hidden')
      button.addEventListener('click', async () => {
        waiting?.abort()
        failed.hidden = true
        try {
          send(await ask(form.dataset.passkey, options))
        } catch {
          failed.hidden = false
          suggest()
        }
      })
    }
    suggest()
  }
}
