import { HttpClient } from '@angular/common/http'
import { Injectable, inject } from '@angular/core'
import { firstValueFrom } from 'rxjs'

export type Role = 'admin' | 'member'

/** The product's roles, from the highest down, as people see them. */
export const ROLES: readonly { id: Role; name: string; text: string }[] = [
  {
    id: 'admin',
    name: 'Administrator',
    text: 'Counts, creates and removes items; looks after the people and the account',
  },
  { id: 'member', name: 'Member', text: 'Sees the items' },
]

export const roleName = (roles: readonly string[]): string =>
  ROLES.find(({ id }) => roles.includes(id))?.name ?? 'No role'

export interface Member {
  id: string
  name: string
  email: string
  roles: Role[]
  you: boolean
}

export interface Invitation {
  id: string
  email: string
  roles: Role[]
  invitedBy: string
  expiresAt: string
  expired: boolean
}

export interface MemberList {
  members: Member[]
  next?: string
}

export interface InvitationList {
  invitations: Invitation[]
  next?: string
}

/** Whose people these are is in the token: no address and no body names a company. */
@Injectable({ providedIn: 'root' })
export class PeopleApi {
  private readonly http = inject(HttpClient)

  members(after = ''): Promise<MemberList> {
    return firstValueFrom(this.http.get<MemberList>('/api/members', { params: after ? { after } : {} }))
  }

  invitations(page = ''): Promise<InvitationList> {
    return firstValueFrom(this.http.get<InvitationList>('/api/invitations', { params: page ? { page } : {} }))
  }

  invite(email: string, role: Role): Promise<Invitation> {
    return firstValueFrom(this.http.post<Invitation>('/api/invitations', { email, roles: [role] }))
  }

  resend(id: string): Promise<Invitation> {
    return firstValueFrom(this.http.post<Invitation>(`/api/invitations/${encodeURIComponent(id)}/resend`, null))
  }

  async withdraw(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/invitations/${encodeURIComponent(id)}`))
  }

  async setRole(id: string, role: Role): Promise<void> {
    await firstValueFrom(this.http.put(`/api/members/${encodeURIComponent(id)}/roles`, { roles: [role] }))
  }

  async remove(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/members/${encodeURIComponent(id)}`))
  }
}
