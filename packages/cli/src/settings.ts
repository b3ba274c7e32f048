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
  egressAllow: {
    variable: 'TENANTRY_EGRESS_ALLOW',
    default: undefined,
    describe:
      'Networks that log streams and mail servers of environments may be in although they are not public, separated by commas: 10.0.0.0/8,127.0.0.1',
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

export interface Settings {
  dataDirectory: string
  databaseUrl: string | undefined
  databaseApplicationUrl: string | undefined
  masterKey: Buffer | undefined
  httpPort: number
  httpsPort: number
  gatewayPort: number
  appPort: number
  host: string
  trustedProxies: string[]
  smtpUrl: string | undefined
  mailFrom: string
  managementRate: { requests: number; seconds: number }
  egressAllow: string[]
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
  return {
    dataDirectory: resolve(text('dataDirectory')!),
    databaseUrl: address('databaseUrl', 'postgres:', 'postgresql:'),
    databaseApplicationUrl: address('databaseApplicationUrl', 'postgres:', 'postgresql:'),
    masterKey: readMasterKey(text('masterKey')),
    httpPort: port('httpPort'),
    httpsPort: port('httpsPort'),
    gatewayPort: port('gatewayPort'),
    appPort: port('appPort'),
    host: text('host')!,
    trustedProxies: readNetworks('trustedProxies', text('trustedProxies')),
    smtpUrl: address('smtpUrl', 'smtp:', 'smtps:'),
    mailFrom: text('mailFrom')!,
    managementRate: rate('managementRate'),
    egressAllow: readNetworks('egressAllow', text('egressAllow')),
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
