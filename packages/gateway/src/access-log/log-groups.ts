import path from 'node:path'
import type { Logger } from 'pino'
import type { Api } from '../api.ts'
import type { Exchange } from '../exchange.ts'
import { type AccessLog, logToLines } from './access-log.ts'
import { openLogFile } from './file.ts'

/**
 * The file of a log group, relative to the directory of all of them; a text that says why there is none.
 *
 * @param accountId of the API; groups of other accounts are not written to
 * @example
 * logGroupFile('arn:aws:logs:us-east-1:123456789012:log-group:/apis/orders', '123456789012')
 * // { file: '123456789012/apis/orders.log' }
 */
export function logGroupFile(arn: string, accountId: string): { readonly file: string } | string {
  // What `!GetAtt LogGroup.Arn` gives ends in ":*".
  const [, account, name] =
    /^arn:aws[a-z-]*:logs:[a-z0-9-]*:(\d{12}):log-group:([\w./#-]{1,512})(?::\*)?$/.exec(arn) ?? []
  if (name === undefined) return `"${arn}" is no ARN of a log group: arn:aws:logs:REGION:${accountId}:log-group:NAME`
  if (account !== accountId) return `"${arn}" belongs to another account; yours is ${accountId}`
  const steps = name.replace(/^\//, '').split('/')
  const isFree = (step: string, index: number): boolean =>
    step !== '' && step.length <= 200 && !step.startsWith('.') && !(step.endsWith('.log') && index < steps.length - 1)
  return steps.every(isFree)
    ? { file: `${accountId}/${steps.join('/')}.log` }
    : `the log group ${name} cannot be the name of a file: its steps are not empty, begin with no "." and have at most 200 characters`
}

// A group that nobody writes to costs a descriptor and two timers.
const idleMs = 10 * 60_000
const retryMs = 5_000

interface OpenGroup {
  readonly log: Promise<AccessLog | null>
  usedAt: number
}

/**
 * Entries of stages that name a log group go to a file of that group, those of all others to `others`. A file that
 * cannot be opened costs its entries, and is tried again.
 *
 * @param directory of all groups, with a folder for each account
 * @param now milliseconds since 1970
 */
export function logToGroups(
  directory: string,
  { others, logger, now }: { others: AccessLog; logger: Logger; now: () => number },
): AccessLog {
  const open = new Map<string, OpenGroup>()
  const files = new WeakMap<Api, string | null>()

  const fileOf = (api: Api): string | null => {
    const known = files.get(api)
    if (known !== undefined) return known
    const { accessLogGroup: arn } = api.stage
    const target = arn === undefined ? '' : logGroupFile(arn, api.accountId)
    const file = typeof target === 'string' ? null : target.file
    files.set(api, file)
    return file
  }

  const begin = (file: string): OpenGroup => {
    const log = openLogFile(path.join(directory, file), logger).then(logToLines, (err: unknown) => {
      logger.error({ err, file }, 'a log group cannot be written: its entries are lost')
      setTimeout(() => open.delete(file), retryMs).unref()
      return null
    })
    return { log, usedAt: now() }
  }
  const end = async (file: string, { log }: OpenGroup): Promise<void> => {
    open.delete(file)
    await (await log)?.close()
  }
  const sweep = setInterval(() => {
    for (const [file, group] of open) if (group.usedAt < now() - idleMs) void end(file, group)
  }, 60_000).unref()

  const write = (exchange: Exchange, file: string): void => {
    const group = open.get(file) ?? begin(file)
    open.set(file, group)
    group.usedAt = now()
    // In the order of the answers: what waits for the file has come first.
    void group.log.then((log) => log?.write(exchange))
  }

  return {
    write: (exchange) => {
      const file = exchange.deployment === null ? null : fileOf(exchange.deployment.api)
      if (file === null) others.write(exchange)
      else write(exchange, file)
    },
    close: async () => {
      clearInterval(sweep)
      await Promise.all([...open].map(([file, group]) => end(file, group)))
      await others.close()
    },
  }
}
