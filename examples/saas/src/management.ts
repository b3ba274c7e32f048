/** The Management API of the issuer, through the public Node SDK as it is. */
import { ManagementClient, ManagementError } from 'auth0'

export interface ManagementOptions {
  /** Host and port; the SDK adds https://. */
  domain: string
  clientId: string
  clientSecret: string
  audience: string
  /** How often the SDK itself tries again after 408, 429 and 5xx. */
  maxRetries?: number
  fetch?: typeof fetch
}

export const createManagement = (options: ManagementOptions): ManagementClient =>
  new ManagementClient({
    domain: options.domain,
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    audience: options.audience,
    timeoutInSeconds: 10,
    maxRetries: options.maxRetries ?? 2,
    ...(options.fetch ? { fetch: options.fetch } : {}),
  })

/** Whether the Management API answered with this status. */
export const answered = (error: unknown, status: number): boolean =>
  error instanceof ManagementError && error.statusCode === status

/** Undefined instead of an error when the thing asked for does not exist. */
export async function unlessMissing<T>(call: PromiseLike<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (answered(error, 404)) return undefined
    throw error
  }
}
