import { HttpClient } from '@angular/common/http'
import { Injectable, inject } from '@angular/core'
import { firstValueFrom } from 'rxjs'

export type Model = 'pool' | 'bridge' | 'silo'

export interface Amount {
  used: number
  limit?: number
}

export interface Change {
  to: string
  state: 'running' | 'compensating' | 'failed'
  step?: string
  message?: string
}

export interface PresentPlan {
  plan: string
  model: Model
  /** Under way, or the last one if it failed. */
  change?: Change
}

export interface Overview extends PresentPlan {
  name: string
  slug: string
  items: Amount
  people: Amount
  plans: { id: string }[]
}

export interface Export {
  id: string
  state: 'running' | 'done' | 'failed'
  requestedAt: string
  expiresAt?: string
  rows?: number
  bytes?: number
  parts?: number
}

/** Of which company is in the token: no address and no body names one. */
@Injectable({ providedIn: 'root' })
export class SettingsApi {
  private readonly http = inject(HttpClient)

  overview(): Promise<Overview> {
    return firstValueFrom(this.http.get<Overview>('/api/tenant'))
  }

  plan(): Promise<PresentPlan> {
    return firstValueFrom(this.http.get<PresentPlan>('/api/tenant/plan'))
  }

  async changePlan(plan: string): Promise<void> {
    await firstValueFrom(this.http.put('/api/tenant/plan', { plan }))
  }

  async exports(): Promise<Export[]> {
    return (await firstValueFrom(this.http.get<{ exports: Export[] }>('/api/tenant/exports'))).exports
  }

  async export(): Promise<void> {
    await firstValueFrom(this.http.post('/api/tenant/exports', null))
  }

  /** The whole archive; the browser keeps what is large on disk. */
  async archive({ id, parts = 0 }: Export): Promise<Blob> {
    const all: Blob[] = []
    for (let part = 0; part < parts; part++) {
      const options = { params: { part }, responseType: 'blob' } as const
      all.push(await firstValueFrom(this.http.get(`/api/tenant/exports/${id}`, options)))
    }
    return new Blob(all, { type: 'application/zip' })
  }

  async close(name: string, idToken: string): Promise<void> {
    await firstValueFrom(this.http.post('/api/tenant/closure', { name, idToken }))
  }
}
