import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { refuseActive, unsupported } from '../inert.ts'
import {
  type CreateResourceServer,
  inert,
  type ProofOfPossession,
  type Scope,
  type UpdateResourceServer,
} from './schema.ts'
import type { ResourceServerRow } from './store.ts'

export const problems = defineProblems({
  inexistent_resource_server: { status: 404, title: 'The resource server does not exist.' },
  resource_server_conflict: { status: 409, title: 'A resource server with this identifier already exists.' },
  system_resource_server: { status: 403, title: 'The Management API is part of the system and stays as it is.' },
  invalid_body: { status: 400, title: '{reason}' },
})

/** What a resource server is unless told otherwise; the same values are the columns' defaults. */
export const defaults = {
  name: null,
  is_system: false,
  scopes: [] as Scope[],
  signing_alg: 'RS256',
  allow_offline_access: false,
  token_lifetime: 86_400,
  token_lifetime_for_web: 7_200,
  enforce_policies: false,
  token_dialect: 'access_token',
  proof_of_possession: null as ProofOfPossession | null,
  skip_consent_for_verifiable_first_party_clients: true,
}

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function registered(asked: CreateResourceServer, now: Date): ResourceServerRow {
  const row = {
    ...defaults,
    id: newId.resourceServer(),
    identifier: asked.identifier,
    created_at: now,
    updated_at: now,
  }
  return changed(row, asked, now)
}

/** @throws Problem `system_resource_server`, `operation_not_supported`, `invalid_body` */
export function changed(row: ResourceServerRow, change: UpdateResourceServer, now: Date): ResourceServerRow {
  if (row.is_system) throw problems.system_resource_server()
  refuseActive(inert, change)
  refuseTwice(change.scopes ?? [])
  if (change.proof_of_possession?.mechanism === 'mtls' && change.proof_of_possession.required) {
    throw unsupported('proof_of_possession.mechanism')
  }
  if (change.signing_alg === 'HS256') throw unsupported('signing_alg')
  return {
    ...row,
    name: change.name ?? row.name,
    scopes: change.scopes ?? row.scopes,
    allow_offline_access: change.allow_offline_access ?? row.allow_offline_access,
    skip_consent_for_verifiable_first_party_clients:
      change.skip_consent_for_verifiable_first_party_clients ?? row.skip_consent_for_verifiable_first_party_clients,
    token_lifetime: change.token_lifetime ?? row.token_lifetime,
    token_lifetime_for_web: fitting(change, row),
    enforce_policies: change.enforce_policies ?? row.enforce_policies,
    proof_of_possession:
      change.proof_of_possession === undefined ? row.proof_of_possession : change.proof_of_possession,
    signing_alg: change.signing_alg ?? row.signing_alg,
    token_dialect: change.token_dialect ?? row.token_dialect,
    updated_at: now,
  }
}

/** Browsers' tokens never outlive others: a default that a shorter lifetime undercuts follows it, a wish is refused. */
function fitting(change: UpdateResourceServer, row: ResourceServerRow): number {
  const lifetime = change.token_lifetime ?? row.token_lifetime
  const forWeb = change.token_lifetime_for_web
  if (forWeb === undefined) return Math.min(row.token_lifetime_for_web, lifetime)
  if (forWeb > lifetime) {
    const reason = "Payload validation error: 'token_lifetime_for_web' must not exceed 'token_lifetime'."
    throw problems.invalid_body({ facts: { reason } })
  }
  return forWeb
}

function refuseTwice(scopes: Scope[]): void {
  const seen = new Set<string>()
  for (const { value } of scopes) {
    if (seen.has(value)) {
      throw problems.invalid_body({
        facts: { reason: `Payload validation error: the scope '${value}' is listed twice.` },
      })
    }
    seen.add(value)
  }
}

/** A resource server as the API shows it. */
export function shown(row: ResourceServerRow) {
  const { created_at: _, updated_at: __, name, proof_of_possession, ...rest } = row
  return { ...rest, ...(name === null ? {} : { name }), ...(proof_of_possession ? { proof_of_possession } : {}) }
}
