/**
 * Every setting of the command, in one table: its variable, its default, what it does. `tenantry help` prints it and the
 * reader below obeys it.
 */

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { defineProblems } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  invalid_setting: { status: 500, title: '{variable}={value} is not valid: {reason}.' },
})

interface SettingDefinition {
  variable: string
  default: string | undefined
  describe: string
}

const define = <const Names extends Record<string, SettingDefinition>>(names: Names) => names

export const definitions = define({
  dataDirectory: {
    variable: 'TENANTRY_DATA',
    default: '.tenantry',
    describe: 'Directory of the embedded database, the master key and the local certificates.',
  },
  databaseUrl: {
    variable: 'DATABASE_URL',
    default: undefined,
    describe: 'A PostgreSQL server (15 or later) to use instead of the embedded one; its user owns the schema.',
  },
  databaseApplicationUrl: {
    variable: 'DATABASE_APPLICATION_URL',
    default: undefined,
    describe: 'The unprivileged role for run time. Made by Tenantry when not given.',
  },
  masterKey: {
    variable: 'TENANTRY_MASTER_KEY',
    default: undefined,
    describe: '32 bytes in base64 that encrypt secrets at rest. Kept in the data directory when not given.',
  },
  httpPort: { variable: 'TENANTRY_HTTP_PORT', default: '4000', describe: 'Issuer and Management API over http.' },
  httpsPort: { variable: 'TENANTRY_HTTPS_PORT', default: '4443', describe: 'The same over TLS, with a local CA.' },
  gatewayPort: { variable: 'TENANTRY_GATEWAY_PORT', default: '8080', describe: 'The API gateway.' },
  controlPlanePort: {
    variable: 'TENANTRY_CONTROL_PLANE_PORT',
    default: '8081',
    describe: 'The gateway’s control plane, for the AWS SDK’s client of API Gateway v2.',
  },
  gatewayAccessLog: {
    variable: 'TENANTRY_GATEWAY_ACCESS_LOG',
    default: undefined,
    describe: 'File for the gateway’s access log, begun anew when it is moved away. Without it entries go to the log.',
  },
  gatewayLogGroups: {
    variable: 'TENANTRY_GATEWAY_LOG_GROUPS',
    default: undefined,
    describe:
      'Directory for access logs of stages that name a log group: ACCOUNT/NAME.log for arn:aws:logs:REGION:ACCOUNT:log-group:NAME.',
  },
  gatewayTls: {
    variable: 'TENANTRY_GATEWAY_TLS',
    default: undefined,
    describe:
      'Directory with what custom domains name: ACCOUNT/certificate/ID.pem (chain and key), ACCOUNT/s3/BUCKET/KEY (truststores). Replaced files are shown within seconds.',
  },
  gatewayTlsPort: {
    variable: 'TENANTRY_GATEWAY_TLS_PORT',
    default: '8443',
    describe: 'Where custom domains answer over TLS; only with TENANTRY_GATEWAY_TLS.',
  },
  gatewayEgressAllow: {
    variable: 'TENANTRY_GATEWAY_EGRESS_ALLOW',
    default: undefined,
    describe:
      'Networks that integrations and issuers of APIs made through the control plane may be in although they are not public, separated by commas: 10.0.0.0/8,127.0.0.0/8,::1',
  },
  gatewayRate: {
    variable: 'TENANTRY_GATEWAY_RATE',
    default: undefined,
    describe: 'Requests per second that the gateway takes for all APIs together, and how many at once: 10000/5000.',
  },
  gatewaySharedLimits: {
    variable: 'TENANTRY_GATEWAY_SHARED_LIMITS',
    default: 'false',
    describe: 'true: gateways on one database share the buckets of all limits. Otherwise each process has its own.',
  },
  gatewayFunctions: {
    variable: 'TENANTRY_GATEWAY_FUNCTIONS',
    default: undefined,
    describe:
      'JSON file with the functions that APIs may invoke here: {"name": {"directory": "notes/src", "handler": "notes.handler"}}.',
  },
  lambdaEndpoint: {
    variable: 'TENANTRY_LAMBDA_ENDPOINT',
    default: undefined,
    describe:
      'Who runs the other functions: aws, or the URL of a service that speaks Lambda’s Invoke. Needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  },
  gatewayTokenCache: {
    variable: 'TENANTRY_GATEWAY_TOKEN_CACHE',
    default: undefined,
    describe:
      'MiB of verified tokens that each authorizer of the gateway remembers; 500 tokens of usual size fit into one. A token that is not remembered costs a signature check. A sixteenth of Node’s heap limit without it, and 256 at most.',
  },
  metricsPort: {
    variable: 'TENANTRY_METRICS_PORT',
    default: undefined,
    describe:
      'Port for the gateway’s metrics (GET /metrics, as Prometheus reads them), on 127.0.0.1 only. Off without it.',
  },
  appPort: {
    variable: 'TENANTRY_APP_PORT',
    default: '3000',
    describe: 'The sample SaaS; its services use the ports after it.',
  },
  host: { variable: 'TENANTRY_HOST', default: '127.0.0.1', describe: 'Address to listen on.' },
  trustedProxies: {
    variable: 'TENANTRY_TRUSTED_PROXIES',
    default: undefined,
    describe: 'Addresses or networks of proxies in front, separated by commas; their X-Forwarded-For is believed.',
  },
  smtpUrl: {
    variable: 'SMTP_URL',
    default: undefined,
    describe:
      'smtp://user:password@host:port for outgoing mail. Without it mail goes to the mailbox page at /dev/mail.',
  },
  mailFrom: {
    variable: 'TENANTRY_MAIL_FROM',
    default: 'Tenantry <no-reply@localhost>',
    describe: 'Sender of outgoing mail.',
  },
  managementRate: {
    variable: 'TENANTRY_MANAGEMENT_RATE',
    default: '6000/60',
    describe: 'Requests that one client may send to the Management API, per seconds, in each process.',
  },
  signingKeyDays: {
    variable: 'TENANTRY_SIGNING_KEY_DAYS',
    default: undefined,
    describe:
      'After how many days a signing key gives way to the next one. Without it keys are rotated by the API alone.',
  },
  egressAllow: {
    variable: 'TENANTRY_EGRESS_ALLOW',
    default: undefined,
    describe:
      'Networks that log streams, mail servers and back-channel logouts of environments may be in although they are not public, separated by commas: 10.0.0.0/8,127.0.0.1',
  },
  actionsEgressAllow: {
    variable: 'TENANTRY_ACTIONS_EGRESS_ALLOW',
    default: undefined,
    describe:
      'Networks that Actions may call although they are not public, separated by commas: 10.1.2.3/32. Whoever writes Actions reads what answers there.',
  },
  breachedPasswords: {
    variable: 'TENANTRY_BREACHED_PASSWORDS',
    default: undefined,
    describe:
      'Passwords known from leaks, as SHA-1: a directory of public range files (21BD1.txt with SUFFIX:COUNT lines), or one sorted file of HASH:COUNT. Without it their detection cannot be turned on.',
  },
  logLevel: {
    variable: 'TENANTRY_LOG',
    default: 'info',
    describe:
      'trace, debug, info, warn, error or silent. The log goes to the data directory’s tenantry.log unless --log is given.',
  },
  oneTenantOnly: {
    variable: 'STOCKROOM_ONE_TENANT_PER_USER',
    default: 'false',
    describe: 'The sample’s policy: true refuses to make one person a member of two tenants.',
  },
})

export interface LambdaSettings {
  /** `undefined`: AWS's own, in the region of each function. */
  endpoint: string | undefined
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
}

export interface Settings {
  dataDirectory: string
  databaseUrl: string | undefined
  databaseApplicationUrl: string | undefined
  masterKey: Buffer | undefined
  httpPort: number
  httpsPort: number
  gatewayPort: number
  controlPlanePort: number
  gatewayAccessLog: string | undefined
  gatewayLogGroups: string | undefined
  gatewayTls: string | undefined
  gatewayTlsPort: number
  gatewayEgressAllow: string[]
  gatewayRate: { perSecond: number; atOnce: number } | undefined
  gatewaySharedLimits: boolean
  gatewayFunctions: string | undefined
  lambda: LambdaSettings | undefined
  gatewayTokenCacheBytes: number | undefined
  metricsPort: number | undefined
  appPort: number
  host: string
  trustedProxies: string[]
  smtpUrl: string | undefined
  mailFrom: string
  managementRate: { requests: number; seconds: number }
  signingKeyDays: number | undefined
  egressAllow: string[]
  actionsEgressAllow: string[]
  breachedPasswords: string | undefined
  logLevel: string
  oneTenantOnly: boolean
}

/** @throws Problem `invalid_setting` that names the variable */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const text = (name: keyof typeof definitions): string | undefined =>
    environment[definitions[name].variable] || definitions[name].default
  const refuse = (name: keyof typeof definitions, reason: string) =>
    problems.invalid_setting({ facts: { variable: definitions[name].variable, value: text(name), reason } })
  const port = (name: keyof typeof definitions): number => {
    const value = Number(text(name))
    if (!Number.isInteger(value) || value < 1 || value > 65_535)
      throw refuse(name, 'a port is a number from 1 to 65535')
    return value
  }
  const oneOf = <const Value extends string>(name: keyof typeof definitions, ...values: Value[]): Value => {
    const value = values.find((each) => each === text(name))
    if (value === undefined) throw refuse(name, `it must be one of ${values.join(', ')}`)
    return value
  }
  const address = (name: keyof typeof definitions, ...protocols: string[]): string | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
      throw problems.invalid_setting({
        facts: {
          variable: definitions[name].variable,
          value: '(not shown)',
          reason: `it must start with ${protocols.join('// or ')}//`,
        },
      })
    }
    return value
  }
  const rate = (name: keyof typeof definitions): { requests: number; seconds: number } => {
    const [requests, seconds] = text(name)!.split('/').map(Number) as [number, number]
    const whole = (value: number) => Number.isInteger(value) && value >= 1
    if (!whole(requests) || !whole(seconds)) throw refuse(name, 'write it as requests/seconds, as in 6000/60')
    return { requests, seconds }
  }
  const gatewayRate = (): { perSecond: number; atOnce: number } | undefined => {
    const value = text('gatewayRate')
    if (value === undefined) return undefined
    const [, perSecond, atOnce] = /^(\d+(?:\.\d+)?)\/(\d+)$/.exec(value) ?? []
    if (perSecond === undefined)
      throw refuse('gatewayRate', 'write it as requests per second/at once, as in 10000/5000')
    return { perSecond: Number(perSecond), atOnce: Number(atOnce) }
  }
  const lambda = (): LambdaSettings | undefined => {
    const endpoint = text('lambdaEndpoint')
    if (endpoint === undefined) return undefined
    if (endpoint !== 'aws' && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) {
      throw refuse('lambdaEndpoint', 'it must be aws, or start with http:// or https://')
    }
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = environment
    if (!accessKeyId || !secretAccessKey) {
      throw refuse('lambdaEndpoint', 'it needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which sign the invocations')
    }
    const session = AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}
    return {
      endpoint: endpoint === 'aws' ? undefined : endpoint,
      credentials: { accessKeyId, secretAccessKey, ...session },
    }
  }
  const mebibytes = (name: keyof typeof definitions): number | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    if (!/^[1-9]\d{0,4}$/.test(value)) throw refuse(name, 'write it as a number of MiB from 1 to 99999')
    return Number(value) * 1024 * 1024
  }
  const days = (name: keyof typeof definitions): number | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    // Below two days the next key would not have been known for a day before it signs.
    if (!/^\d{1,4}$/.test(value) || Number(value) < 2) throw refuse(name, 'write it as a number of days, 2 or more')
    return Number(value)
  }
  return {
    dataDirectory: resolve(text('dataDirectory')!),
    databaseUrl: address('databaseUrl', 'postgres:', 'postgresql:'),
    databaseApplicationUrl: address('databaseApplicationUrl', 'postgres:', 'postgresql:'),
    masterKey: readMasterKey(text('masterKey')),
    httpPort: port('httpPort'),
    httpsPort: port('httpsPort'),
    gatewayPort: port('gatewayPort'),
    controlPlanePort: port('controlPlanePort'),
    gatewayAccessLog: text('gatewayAccessLog'),
    gatewayLogGroups: text('gatewayLogGroups'),
    gatewayTls: text('gatewayTls'),
    gatewayTlsPort: port('gatewayTlsPort'),
    gatewayEgressAllow: readNetworks('gatewayEgressAllow', text('gatewayEgressAllow')),
    gatewayRate: gatewayRate(),
    gatewaySharedLimits: oneOf('gatewaySharedLimits', 'true', 'false') === 'true',
    gatewayFunctions: text('gatewayFunctions'),
    lambda: lambda(),
    gatewayTokenCacheBytes: mebibytes('gatewayTokenCache'),
    metricsPort: text('metricsPort') === undefined ? undefined : port('metricsPort'),
    appPort: port('appPort'),
    host: text('host')!,
    trustedProxies: readNetworks('trustedProxies', text('trustedProxies')),
    smtpUrl: address('smtpUrl', 'smtp:', 'smtps:'),
    mailFrom: text('mailFrom')!,
    managementRate: rate('managementRate'),
    signingKeyDays: days('signingKeyDays'),
    breachedPasswords: text('breachedPasswords'),
    egressAllow: readNetworks('egressAllow', text('egressAllow')),
    actionsEgressAllow: readNetworks('actionsEgressAllow', text('actionsEgressAllow')),
    logLevel: oneOf('logLevel', 'trace', 'debug', 'info', 'warn', 'error', 'silent'),
    oneTenantOnly: oneOf('oneTenantOnly', 'true', 'false') === 'true',
  }
}

function readMasterKey(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) {
    throw problems.invalid_setting({
      facts: {
        variable: definitions.masterKey.variable,
        value: '(not shown)',
        reason: 'it must be 32 bytes in base64',
      },
    })
  }
  return key
}

function readNetworks(name: keyof typeof definitions, text: string | undefined): string[] {
  const networks = (text ?? '')
    .split(',')
    .map((network) => network.trim())
    .filter(Boolean)
  const odd = networks.find((network) => !isIP(network.split('/')[0]!) || !/^[^/]+(\/\d{1,3})?$/.test(network))
  if (odd !== undefined) {
    throw problems.invalid_setting({
      facts: {
        variable: definitions[name].variable,
        value: odd,
        reason: 'it is no address and no network, as in 10.0.0.0/8',
      },
    })
  }
  return networks
}
