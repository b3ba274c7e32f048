import { HttpClient, HttpErrorResponse } from '@angular/common/http'
import { Injectable, inject } from '@angular/core'
import { firstValueFrom } from 'rxjs'

export interface Tenant {
  slug: string
  name: string
  organizationId: string
}

const REMEMBERED = 'stockroom.tenant'

/** From the slug in a path or host to the organization that signs its people in, and its name for the header. */
@Injectable({ providedIn: 'root' })
export class Tenants {
  private readonly http = inject(HttpClient)

  /** Undefined when there is no such tenant. */
  async resolve(slug: string): Promise<Tenant | undefined> {
    try {
      const tenant = await firstValueFrom(this.http.get<Tenant>('/api/tenants/resolve', { params: { slug } }))
      localStorage.setItem(REMEMBERED, JSON.stringify(tenant))
      return tenant
    } catch (error) {
      if (error instanceof HttpErrorResponse && error.status === 404) return undefined
      throw error
    }
  }

  /** The tenant behind an organization, if this browser has come across it. The token decides, this only names it. */
  remembered(organizationId: string): Tenant | undefined {
    const tenant = this.last()
    return tenant?.organizationId === organizationId ? tenant : undefined
  }

  forget(): void {
    localStorage.removeItem(REMEMBERED)
  }

  /** The tenant that this browser came across last. */
  last(): Tenant | undefined {
    try {
      return (JSON.parse(localStorage.getItem(REMEMBERED) ?? 'null') as Tenant | null) ?? undefined
    } catch {
      return undefined
    }
  }
}
