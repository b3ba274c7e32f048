/** Why a proof could not be run at all. Whatever goes wrong with single requests is a result, not an error. */
export class ProofRefused extends Error {
  readonly code: 'document_refused' | 'unreachable' | 'token_refused' | 'option_refused'

  constructor(code: ProofRefused['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ProofRefused'
    this.code = code
  }
}
