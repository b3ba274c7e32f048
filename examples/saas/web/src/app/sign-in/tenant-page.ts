import { HttpClient, HttpErrorResponse } from '@angular/common/http'
import { Component, inject, input, type OnInit, signal } from '@angular/core'
import { Router, RouterLink } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { firstValueFrom } from 'rxjs'
import { Mark } from '../mark.ts'
import { Entrance } from './entrance.ts'
import { Waiting } from './waiting.ts'

interface Tenant {
  organizationId: string
  name: string
  slug: string
}

/** A tenant's own entrance, `/t/acme`: the name in the address becomes the organization that signs in. */
@Component({ selector: 'app-tenant', imports: [Mark, RouterLink, Waiting], templateUrl: './tenant-page.html' })
export class TenantPage implements OnInit {
  readonly slug = input.required<string>()
  protected readonly problem = signal<'unknown' | 'unreachable' | undefined>(undefined)
  readonly #http = inject(HttpClient)
  readonly #auth = inject(AuthService)
  readonly #entrance = inject(Entrance)
  readonly #router = inject(Router)

  ngOnInit(): void {
    void this.enter()
  }

  protected async enter(): Promise<void> {
    this.problem.set(undefined)
    let tenant: Tenant
    try {
      const answer = this.#http.get<Tenant>('/api/tenants/resolve', { params: { slug: this.slug() } })
      tenant = await firstValueFrom(answer)
    } catch (error) {
      // A name that cannot be one (400) is as unknown as one that nobody has.
      const known = error instanceof HttpErrorResponse && (error.status === 404 || error.status === 400)
      this.problem.set(known ? 'unknown' : 'unreachable')
      return
    }
    const { organizationId } = tenant
    const claims = await firstValueFrom(this.#auth.idTokenClaims$)
    if (claims?.['org_id'] === organizationId) {
      await this.#router.navigateByUrl('/items', { replaceUrl: true })
      return
    }
    // Also the way from one tenant to another: the new tokens take the place of the old ones.
    this.#entrance.go({ organization: organizationId })
  }
}
