/**
 * POST /oauth/par (RFC 9126): a client tells its authorization request behind the browser's back, proves who it is, and
 * gets a handle for it. What was pushed cannot be altered: at /authorize the handle stands for all parameters.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import { hashHandle, type Secrets } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../environments/environment.ts'
import { asker, type LogEntry, type TenantLog } from '../logs/tenant-log.ts'
import { type CheckDependencies, checkChannel, checkClient, checkRequest, type Parameters } from './authorize/checks.ts'
import { openRequestObject } from './authorize/request-object.ts'
import type { Configuration } from './configuration.ts'
import { provenKey } from './dpop.ts'
import { readParameters } from './parameters.ts'
import { problems } from './problems.ts'
import * as store from './store.ts'
import { authenticateClient } from './token/client-authentication.ts'

const PATH = '/oauth/par'
const PREFIX = 'urn:ietf:params:oauth:request_uri:'
const USUAL_EXPIRY = 30

const CREDENTIALS = ['client_secret', 'client_assertion', 'client_assertion_type']
const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })

export const par = (deps: CheckDependencies & { tenantLog: TenantLog; secrets: Secrets }) => async (app: Api) => {
  app.post(PATH, { bodyLimit: 32 * 1024 }, async (request, reply) => {
    const { environment } = request
    if (!environment.settings.pushed_authorization_requests_supported) throw problems.not_found()
    const about: Partial<LogEntry> = asker(request)
    try {
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send(await push())
    } catch (error) {
      const problem = error instanceof Problem ? error : undefined
      const clientId = about.client_id ?? problem?.facts.clientId
      if (typeof clientId === 'string') {
        const description = problem?.message ?? null
        deps.tenantLog.add(environment.id, { type: 'fpar', ...about, client_id: clientId, description })
      }
      throw error
    }

    async function push() {
      const sent = readParameters(request.body)
      const { authorization, dpop: header } = request.headers
      const client = await authenticateClient(deps, environment, { authorization, parameters: sent })
      Object.assign(about, { client_id: client.client_id, client_name: client.name })
      if (sent.request_uri !== undefined)
        throw refuse('A pushed request cannot name another one: leave request_uri out.')
      // Checked now; what is kept is what was signed.
      const asked = await openRequestObject(deps, environment, { ...sent, client_id: client.client_id })
      const jkt = await provenKey(deps, environment, { method: 'POST', path: PATH, header })
      if (jkt !== undefined && (asked.dpop_jkt ?? jkt) !== jkt)
        throw refuse('dpop_jkt is not the key of the DPoP proof.')
      const parameters = {
        ...Object.fromEntries(Object.entries(asked).filter(([name]) => !CREDENTIALS.includes(name))),
        client_id: client.client_id,
        ...(jkt === undefined ? {} : { dpop_jkt: jkt }),
      }
      await checkClient(deps, environment, parameters)
      const channel = await checkChannel(deps, environment, client, parameters)
      await checkRequest({ deps, environment, client, parameters, isPushed: true }, channel)

      const handle = randomHandle()
      const expires_in = client.par_request_expiry ?? USUAL_EXPIRY
      const handle_hash = hashHandle(handle)
      const row = {
        handle_hash,
        client_id: client.client_id,
        issuer: environment.issuer,
        sealed: deps.secrets.seal(context(environment, handle_hash), JSON.stringify(parameters)),
        expires_at: addSeconds(deps.clock.now(), expires_in),
      }
      await deps.database.once(environment.id, (tx) => store.insertPushedRequest(tx, environment.id, row))
      return { request_uri: PREFIX + handle, expires_in }
    }
  })
}

const context = ({ id }: RequestEnvironment, handleHash: Buffer) => `${id}/pushed-request/${handleHash.toString('hex')}`

/**
 * What a request at /authorize asks for: its own parameters or, when it names a pushed request, that one's and none of its
 * own (RFC 9126 §4). Naming it uses it up. No other `request_uri` is ever followed: nothing is fetched (CVE-2020-10770).
 *
 * @throws Problem `invalid_request_uri`
 */
export async function unpack(
  deps: { database: Database; configuration: Configuration; secrets: Secrets; clock: Clock },
  environment: RequestEnvironment,
  sent: Parameters,
): Promise<{ parameters: Parameters; isPushed: boolean }> {
  const { database, secrets, clock } = deps
  const { request_uri: uri, client_id } = sent
  const isOn = environment.settings.pushed_authorization_requests_supported === true
  if (uri === undefined || !isOn)
    return { parameters: await openRequestObject(deps, environment, sent), isPushed: false }
  if (!uri.startsWith(PREFIX) || !client_id) throw problems.invalid_request_uri()
  const wanted = { handle_hash: hashHandle(uri.slice(PREFIX.length)), client_id, issuer: environment.issuer }
  const [taken] = await database.once(environment.id, (tx) => store.takePushedRequest(tx, wanted, clock.now()))
  if (!taken) throw problems.invalid_request_uri()
  const opened = secrets.open(context(environment, wanted.handle_hash), taken.sealed)
  return { parameters: JSON.parse(opened) as Parameters, isPushed: true }
}
