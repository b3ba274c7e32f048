import { accent, bold, dim, print } from './terminal.ts'

interface Ready {
  quickstart: {
    httpIssuer: string
    issuer: string
    appUrl: string
    gatewayUrl: string
    controlPlaneUrl: string
    mailUrl?: string
    caFile: string
  }
  seconds: number
  logFile: string
  quickstartFile: string
  json: boolean
}

/** Where things are, and what to try. */
export function printReady({ quickstart, seconds, logFile, quickstartFile, json }: Ready): void {
  if (json) {
    print(
      JSON.stringify({ ready: true, seconds: Number(seconds.toFixed(2)), quickstartFile, ...addresses(quickstart) }),
    )
    return
  }
  const row = (what: string, where: string) => print(`  ${what.padEnd(34)} ${accent(where)}`)
  print()
  print(`${bold('Tenantry is ready')} ${dim(`after ${seconds.toFixed(1)} s`)}`)
  print()
  row('Sample SaaS, Stockroom', quickstart.appUrl)
  if (quickstart.mailUrl) row('Mail that would have been sent', quickstart.mailUrl)
  row('API, through the gateway', quickstart.gatewayUrl)
  row('Gateway control plane (AWS SDK)', quickstart.controlPlaneUrl)
  row('Issuer and Management API', quickstart.issuer)
  row('The same over plain http', quickstart.httpIssuer)
  print()
  print(
    `  Try it: register a company at ${accent(quickstart.appUrl)}, then open the mailbox and accept the invitation.`,
  )
  print(dim(`  Client ids and secrets: ${quickstartFile} · log: ${logFile} · local CA: ${quickstart.caFile}`))
  print(dim('  Stop with Ctrl-C; all data stays.'))
  print()
}

const addresses = ({ issuer, httpIssuer, appUrl, gatewayUrl, controlPlaneUrl, mailUrl }: Ready['quickstart']) => ({
  issuer,
  httpIssuer,
  appUrl,
  gatewayUrl,
  controlPlaneUrl,
  mailUrl,
})
