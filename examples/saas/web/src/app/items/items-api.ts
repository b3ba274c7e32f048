import { HttpClient } from '@angular/common/http'
import { Injectable, inject } from '@angular/core'
import { firstValueFrom } from 'rxjs'

export interface Item {
  id: string
  name: string
  location: string
  quantity: number
  lowAt: number
}

export interface NewItem {
  id?: string
  name: string
  location: string
  quantity: number
  lowAt: number
}

export interface ItemList {
  items: Item[]
  total: number
  low: number
  out: number
  next?: string
}

/** The token for each call is fetched by the interceptor, with the scope that the call needs. */
@Injectable({ providedIn: 'root' })
export class ItemsApi {
  private readonly http = inject(HttpClient)

  list(options: { q?: string; after?: string } = {}): Promise<ItemList> {
    const params = Object.fromEntries(Object.entries({ ...options, limit: '25' }).filter(([, value]) => value))
    return firstValueFrom(this.http.get<ItemList>('/api/items', { params }))
  }

  create(item: NewItem): Promise<Item> {
    return firstValueFrom(this.http.post<Item>('/api/items', item))
  }

  async remove(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/items/${encodeURIComponent(id)}`))
  }
}
