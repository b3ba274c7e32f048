/**
 * Protections that Auth0 has and this server does not, each behind one switch. It is off: it reads so, may be set so (by
 * tools that write back what they have read), and turning it on answers 501.
 */
import { type Api, Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { only, refuseActive } from './inert.ts'
import { refusals } from './management-api.ts'

const SWITCHES = [
  ['/risk-assessments/settings', 'RiskAssessmentSettings', 'enabled', false, 'Assessments of risk'],
  ['/risk-assessments/settings/new-device', 'NewDeviceSettings', 'remember_for', 0, 'Assessments of devices'],
  ['/supplemental-signals', 'SupplementalSignals', 'akamai_enabled', false, 'Signals of other products'],
] as const

export async function switchedOff(app: Api): Promise<void> {
  const tags = ['none']
  for (const [url, id, name, neutral, what] of SWITCHES) {
    const Switch = Exact({ [name]: neutral === false ? Type.Boolean() : Type.Integer() })

    app.route({
      method: 'GET',
      url,
      config: { scope: 'read:attack_protection' },
      schema: {
        operationId: `get${id}`,
        summary: `${what}: off, because they are not supported yet`,
        tags,
        response: { 200: Switch, ...refusals() },
      },
      handler: async () => ({ [name]: neutral }),
    })

    app.route({
      method: 'PATCH',
      url,
      config: { scope: 'update:attack_protection' },
      schema: {
        operationId: `update${id}`,
        summary: `${what}: stay off, because they are not supported yet`,
        tags,
        body: Switch,
        response: { 200: Switch, ...refusals(400, 501) },
      },
      handler: async (request) => {
        refuseActive({ [name]: only(neutral) }, request.body)
        return { [name]: neutral }
      },
    })
  }
}
