import { computed, Injectable, inject, signal } from '@angular/core'
import { toSignal } from '@angular/core/rxjs-interop'
import { AuthService } from '@auth0/auth0-angular'
import { firstValueFrom } from 'rxjs'
import { CONFIG } from '../config.ts'
import { permissions } from '../sign-in/settings.ts'

/** Who is signed in, to which tenant, and what they may do there. */
@Injectable({ providedIn: 'root' })
export class Session {
  readonly #auth = inject(AuthService)
  readonly #claim = inject(CONFIG).tenantClaim
  readonly #claims = toSignal(this.#auth.idTokenClaims$)
  readonly #granted = signal<ReadonlySet<string> | undefined>(undefined)

  readonly tenantId = computed(() => text(this.#claims()?.[this.#claim]))
  readonly tenantName = computed(() => text(this.#claims()?.['org_name']) || text(this.#claims()?.['org_id']))
  readonly email = computed(() => text(this.#claims()?.email) || text(this.#claims()?.name))

  /** Undefined until the first token has told. */
  may(permission: (typeof permissions)[keyof typeof permissions]): boolean | undefined {
    return this.#granted()?.has(permission)
  }

  /**
   * Learns what was granted. The token itself is for the API alone to read; its answer to us is the `scope` beside it,
   * and a missing one means that everything asked for was granted (RFC 6749 §5.1).
   * This shapes the page only. Whether something may be done is decided by the API each time.
   * @param anew asks the issuer for a new token, which knows of roles given since the last one
   */
  async learnPermissions(anew = false): Promise<void> {
    const cacheMode = anew ? 'off' : 'on'
    const answer = this.#auth.getAccessTokenSilently({ cacheMode, detailedResponse: true })
    // A failure here is announced by the SDK as well; the page goes on with what it knew.
    const token = await firstValueFrom(answer).catch(() => undefined)
    if (token) this.#granted.set(new Set(token.scope?.split(' ') ?? Object.values(permissions)))
  }

  signOut(): void {
    this.#auth.logout({ logoutParams: { returnTo: location.origin } }).subscribe()
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
