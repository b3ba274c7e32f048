import { HttpClient, HttpErrorResponse } from '@angular/common/http'
import { Injectable, inject } from '@angular/core'
import { firstValueFrom } from 'rxjs'

export const plans = [
  { value: 'starter', name: 'Starter', text: 'One storeroom and the people who work in it' },
  { value: 'team', name: 'Team', text: 'Several locations, members with different permissions' },
  { value: 'enterprise', name: 'Enterprise', text: 'Your own sign-in and your own administrators' },
] as const

export interface Application {
  companyName: string
  email: string
  plan: (typeof plans)[number]['value']
}

export interface Registered {
  tenantId: string
  slug: string
  /** `member`: the address could sign in before and belongs to the new company at once. */
  status: 'invited' | 'member'
}

/** Why a registration was not taken: said beside the field it is about, or above the form. */
export interface Refusal {
  field?: 'companyName' | 'email'
  code: string
  text: string
  /** Whether sending the same again would get the same answer. */
  settled: boolean
}

@Injectable({ providedIn: 'root' })
export class Registration {
  readonly #http = inject(HttpClient)

  /**
   * Registers a company once for each key, however often it is sent.
   * @throws HttpErrorResponse
   */
  send(application: Application, key: string): Promise<Registered> {
    const headers = { 'idempotency-key': key }
    return firstValueFrom(this.#http.post<Registered>('/api/registrations', application, { headers }))
  }
}

/** The answers of the registration service in words that say what to do next. */
export function refusalOf(error: unknown): Refusal {
  const { status, code, message, wait } = answerOf(error)
  const settled = status >= 400 && status < 500 && status !== 429
  switch (code) {
    case 'company_taken':
      return {
        field: 'companyName',
        code,
        settled,
        text: 'Another company has this name. Add what tells you apart, such as your city.',
      }
    case 'name_unusable':
      return {
        field: 'companyName',
        code,
        settled,
        text: 'Use a name with letters or digits from a to z; it becomes your address here.',
      }
    case 'one_tenant_only':
      return {
        field: 'email',
        code,
        settled,
        text: 'This address already belongs to a company here. Use another address, or sign in.',
      }
    case 'key_reused':
      return {
        code,
        settled,
        text: 'This form was sent before with other details, and that registration may have worked. Check your mail first; to register these details as well, send the form again.',
      }
  }
  if (status === 429) {
    return {
      code: code ?? 'too_many',
      settled,
      text: `Too many registrations from here. Try again in ${wait}; what you typed stays.`,
    }
  }
  if (status === 503) {
    return {
      code: code ?? 'not_finished',
      settled,
      text: 'Your company is still being set up. Send the form again in a moment; it won’t be registered twice.',
    }
  }
  if (settled) {
    return {
      code: code ?? 'refused',
      settled,
      text: message ?? 'These details were not accepted. Check them, then send the form again.',
    }
  }
  return {
    code: code ?? 'unreachable',
    settled,
    text: 'We couldn’t reach Stockroom. Check your connection and send the form again; it won’t be registered twice.',
  }
}

function answerOf(error: unknown): { status: number; code?: string; message?: string; wait: string } {
  if (!(error instanceof HttpErrorResponse)) return { status: 0, wait: 'a few minutes' }
  const body = (typeof error.error === 'object' && error.error !== null ? error.error : {}) as Record<string, unknown>
  const seconds = Number(error.headers.get('retry-after'))
  const minutes = Math.ceil(seconds / 60)
  return {
    status: error.status,
    ...(typeof body['code'] === 'string' ? { code: body['code'] } : {}),
    ...(typeof body['message'] === 'string' ? { message: body['message'] } : {}),
    wait: seconds > 0 ? `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}` : 'a few minutes',
  }
}
