/**
 * `tenantry start`: database, identity, gateway and the sample SaaS, in the order in which they need one another, and
 * stopped in the opposite one. What fails to start takes down what is already there.
 */

import { once } from 'node:events'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createDatabase } from '@tenantry/kernel/database/database.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import pino, { type DestinationStream } from 'pino'
import { openDatabase } from './database.ts'
import { listen, localOrigin } from './listen.ts'
import { ensureLocalCertificate } from './local-certificate.ts'
import { keepMasterKey } from './master-key.ts'
import { seedQuickstart } from './quickstart.ts'
import { readQuickstart, writeQuickstart } from './quickstart-file.ts'
import { printReady } from './ready.ts'
import { spawnSample } from './sample.ts'
import { definitions, type Settings, problems as settingProblems } from './settings.ts'
import { step } from './terminal.ts'

export const problems = defineProblems({
  data_directory_unusable: {
    status: 500,
    title: 'The data directory {directory} cannot be used: {reason}. Set TENANTRY_DATA to one that can be written.',
  },
})

export interface StartOptions {
  json: boolean
  logToTerminal: boolean
}

export async function start(settings: Settings, options: StartOptions): Promise<void> {
  const closers: (() => Promise<void>)[] = []
  const stopAll = async () => {
    const failures: unknown[] = []
    for (const close of closers.splice(0).reverse()) {
      // One part that cannot be stopped must not keep the others, the database last, from it.
      await Promise.race([close(), patience()]).catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures[0]
  }
  const stopping = stopOnSignal(stopAll)
  try {
    await bringUp(settings, options, closers)
  } catch (error) {
    // What kept it from starting is what is told, whatever else fails on the way out.
    await stopAll().catch(() => {})
    if (stopping.requested()) return
    throw error
  }
}

async function bringUp(settings: Settings, options: StartOptions, closers: (() => Promise<void>)[]): Promise<void> {
  const say = options.json ? () => {} : step
  const { dataDirectory, host } = settings
  makeDirectory(dataDirectory)
  const logFile = join(dataDirectory, 'tenantry.log')
  const logger = createLogger({
    level: settings.logLevel,
    ...(options.logToTerminal ? {} : { destination: await openLog(logFile) }),
  })
  const masterKey = keepMasterKey(dataDirectory, settings.masterKey)
  const secrets = createSecrets(masterKey)
  const clock = systemClock

  const certificate = await ensureLocalCertificate({ directory: join(dataDirectory, 'tls'), clock })
  const opening = openDatabase(settings, { secret: secrets.deriveKey('database-role'), logger, progress: say })
  // Before it is open: whatever ends the start meanwhile must not leave a database server behind.
  closers.push(async () => (await opening.catch(() => undefined))?.close())
  const quickstartFile = join(dataDirectory, 'quickstart.json')
  const siloSecretFile = join(dataDirectory, 'stockroom-silos.key')
  const stockroom = spawnSample(settings, { quickstartFile, caFile: certificate.caFile, logFile, siloSecretFile })
  closers.push(stockroom.close)
  // Two other processes are starting now; what takes longest to load is loaded meanwhile.
  const [
    { createIdentity },
    { refreshManagementApis },
    { createActionRunner },
    { openEnvironment },
    { controlPlaneAccess, startControlPlane, startGateway },
  ] = await Promise.all([
    import('@tenantry/identity/identity.ts'),
    import('@tenantry/identity/environments/seed.ts'),
    import('@tenantry/identity/actions/runner.ts'),
    import('./environment.ts'),
    import('./gateway.ts'),
  ])
  const opened = await opening
  const database = await createDatabase({
    urls: opened.urls,
    onAcross: (reason) => logger.debug({ reason }, 'across environments'),
  })
  closers.push(database.close)

  await refreshManagementApis(database)
  const runner = createActionRunner({ logger, egress: createEgress({ allow: settings.actionsEgressAllow }) })
  closers.push(runner.close)
  const mail = settings.smtpUrl
    ? { kind: 'smtp' as const, url: settings.smtpUrl, from: settings.mailFrom }
    : { kind: 'mailbox' as const }
  const app = await createIdentity({
    database,
    secrets,
    clock,
    logger,
    mail,
    runner,
    trustedProxies: settings.trustedProxies,
    managementRate: settings.managementRate,
    breachedPasswords: await breachedPasswordsOf(settings),
  })
  closers.push(() => app.close())

  const origins = { https: localOrigin('https', settings.httpsPort), http: localOrigin('http', settings.httpPort) }
  const environment = await openEnvironment({ database, secrets, clock }, [origins.https, origins.http])
  const http = await listen(app, { port: settings.httpPort, host, variable: definitions.httpPort.variable })
  closers.push(http.close)
  const tls = { key: certificate.key, cert: certificate.cert }
  const https = await listen(app, { port: settings.httpsPort, host, variable: definitions.httpsPort.variable, tls })
  closers.push(https.close)

  const sample = {
    appUrl: localOrigin('http', settings.appPort),
    apiAudience: 'https://api.stockroom.example',
    tenantClaim: 'https://stockroom.example/tenantId',
    tierClaim: 'https://stockroom.example/tier',
  }
  const seeded = await seedQuickstart(
    app,
    { id: environment.id, origin: origins.https, token: await environment.managementToken() },
    sample,
    readQuickstart(quickstartFile),
  )
  const quickstart = {
    issuer: `${origins.https}/`,
    httpIssuer: `${origins.http}/`,
    caFile: certificate.caFile,
    managementAudience: `${origins.https}/api/v2/`,
    ...(mail.kind === 'mailbox' ? { mailUrl: `${origins.http}/dev/mail` } : {}),
    appUrl: sample.appUrl,
    gatewayUrl: localOrigin('http', settings.gatewayPort),
    controlPlaneUrl: localOrigin('http', settings.controlPlanePort),
    controlPlane: await controlPlaneAccess({ database, secrets }, environment.id),
    apiAudience: sample.apiAudience,
    tenantClaim: sample.tenantClaim,
    ...seeded,
  }
  writeQuickstart(quickstartFile, quickstart)

  say('Starting the sample SaaS')
  const { caFile } = certificate
  const [gateway] = await Promise.all([
    startGateway(settings, { quickstart, services: stockroom.services, database, clock, logger }),
    stockroom.begin(opened.urls),
  ])
  closers.push(gateway.close)
  const { explain } = gateway
  const issuers = [quickstart.issuer, quickstart.httpIssuer]
  const controlPlane = await startControlPlane(settings, { caFile, issuers, database, secrets, clock, logger, explain })
  closers.push(controlPlane.close)

  // Since the process began, loading included.
  const seconds = performance.now() / 1000
  printReady({
    quickstart,
    seconds,
    logFile: relative(process.cwd(), logFile),
    quickstartFile: relative(process.cwd(), quickstartFile),
    json: options.json,
  })

  // Neither loaded nor awaited before the rest is ready: the job queue and the mail library cost a quarter of the start.
  const ownerUrl = opened.urls.owner
  const egress = createEgress({ allow: settings.egressAllow })
  const background = import('@tenantry/identity/background.ts').then(({ startBackground }) =>
    startBackground({
      ownerUrl,
      database,
      secrets,
      clock,
      logger,
      mail,
      egress,
      signingKeyDays: settings.signingKeyDays,
    }),
  )
  background.catch((err: unknown) => logger.error({ err }, 'background work could not be started'))
  closers.push(async () => (await background.catch(() => undefined))?.stop())
}

/** @throws Problem `data_directory_unusable` */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw problems.data_directory_unusable({ facts: { directory, reason: (cause as Error).message }, cause })
  }
}

/** Written in the background; it must be open before anything may end the process. */
async function openLog(file: string): Promise<DestinationStream> {
  // A write per line is a tenth of what a token costs. An exit of the process, a crash's included, writes what is held.
  const destination = pino.destination({ dest: file, sync: false, minLength: 12_288, periodicFlush: 100 })
  await once(destination, 'ready')
  return destination
}

/** A part that does not end must not keep the database, which comes last, from being stopped cleanly. */
const patience = (): Promise<void> => wait(8000, undefined, { ref: false })

/** The first signal stops everything in order; a second one gives up waiting. */
function stopOnSignal(stopAll: () => Promise<void>): { requested(): boolean } {
  let requested = false
  const stop = () => {
    if (requested) process.exit(130)
    requested = true
    // Nothing else may keep the process alive once all is closed.
    stopAll().then(
      () => process.exit(0),
      (error: Error) => {
        process.stderr.write(`tenantry: stopping failed: ${error.message}\n`)
        process.exit(1)
      },
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  // Started by npm: when that process is killed the channel closes, and nobody could stop us any more.
  process.on('disconnect', stop)
  return { requested: () => requested }
}

/** @throws Problem `invalid_setting` */
async function breachedPasswordsOf({ breachedPasswords: path }: Settings) {
  if (path === undefined) return undefined
  const { openBreachedPasswords } = await import('@tenantry/identity/upstream/database/breached.ts')
  try {
    return await openBreachedPasswords(path)
  } catch (cause) {
    const { variable } = definitions.breachedPasswords
    throw settingProblems.invalid_setting({ facts: { variable, value: path, reason: (cause as Error).message }, cause })
  }
}
