import { computed, Injectable, inject, signal } from '@angular/core'
import { toSignal } from '@angular/core/rxjs-interop'
import { AuthService } from '@auth0/auth0-angular'
import { firstValueFrom } from 'rxjs'
import { API_SCOPES } from '../providers'
import { type Tenant, Tenants } from '../tenants'

export type Scope = (typeof API_SCOPES)[number]

/** Who is in, where, and what the token lets them do. For display only: the API decides by itself. */
@Injectable({ providedIn: 'root' })
export class Session {
  private readonly auth = inject(AuthService)
  private readonly tenants = inject(Tenants)
  private readonly claims = toSignal(this.auth.idTokenClaims$)
  private readonly tenant = signal<Tenant | undefined>(undefined)
  private readonly scopes = signal<ReadonlySet<string>>(new Set())

  readonly email = computed(() => this.claims()?.email ?? this.claims()?.name ?? '')
  readonly initials = computed(() => initialsOf(this.claims()?.name ?? this.email()))
  readonly tenantName = computed(() => this.tenant()?.name ?? this.claims()?.org_name ?? 'Your company')
  readonly tenantInitials = computed(() => initialsOf(this.tenantName()))
  /** When the person typed their password last, if the issuer was asked for it. */
  readonly signedInAt = computed(() => {
    const seconds: unknown = this.claims()?.auth_time
    return typeof seconds === 'number' ? new Date(seconds * 1000) : undefined
  })
  readonly idToken = computed(() => this.claims()?.__raw ?? '')
  readonly may = (scope: Scope) => this.scopes().has(scope)

  async load(): Promise<void> {
    const answer = await firstValueFrom(this.auth.getAccessTokenSilently({ detailedResponse: true }))
    // RFC 6749 §5.1: without `scope` in the answer, all that was asked for is granted.
    this.scopes.set(new Set(answer?.scope?.split(' ') ?? API_SCOPES))
    const claims = await firstValueFrom(this.auth.idTokenClaims$)
    const organizationId = String(claims?.org_id ?? '')
    const name = claims?.org_name as string | undefined
    let tenant = this.tenants.remembered(organizationId)
    if (!tenant && name) tenant = await this.tenants.resolve(name).catch(() => undefined)
    this.tenant.set(tenant?.organizationId === organizationId ? tenant : undefined)
  }

  /** To the issuer and back to `target`, with the password once more. */
  async signInAgain(target: string): Promise<void> {
    const claims = this.claims()
    await firstValueFrom(
      this.auth.loginWithRedirect({
        authorizationParams: {
          organization: claims?.org_id,
          login_hint: claims?.email,
          prompt: 'login',
          // Asked for so that the ID token says when it was (OpenID Connect Core §2, auth_time).
          max_age: 300,
        },
        appState: { target },
      }),
    )
  }

  /** The company is no more: nothing is kept of it here. */
  async forget(): Promise<void> {
    this.tenants.forget()
    await firstValueFrom(this.auth.logout({ openUrl: false }))
  }

  async leave(): Promise<void> {
    await firstValueFrom(this.auth.logout({ logoutParams: { returnTo: location.origin } }))
  }
}

export function initialsOf(name: string): string {
  const words = name.split(/[\s@._-]+/).filter((word) => word !== '')
  return (
    words
      .slice(0, 2)
      .map((word) => word.charAt(0).toUpperCase())
      .join('') || '?'
  )
}
