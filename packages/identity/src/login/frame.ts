/**
 * What an environment puts around its pages and into their forms. A page that people sign in with must not depend on it:
 * what fails is left out, and written down for its administrator.
 */
import type { FastifyRequest } from 'fastify'
import { enabledLocales, friendlyName } from '../environments/environment.ts'
import { directionOf } from '../languages.ts'
import { asker } from '../logs/tenant-log.ts'
import type { Client, OrganizationConfiguration } from '../oauth/configuration.ts'
import { framePage, renderPartial } from '../resources/branding/page-template/template.ts'
import type { PageLook } from './look.ts'
import type { Texts } from './texts.ts'

export interface Surroundings {
  request: FastifyRequest
  nonce: string
  prompt: string
  screen: string
  language: string
  texts: Texts
  look: PageLook
  about?: About | undefined
}

/** For whom the page is. */
export interface About {
  client: Pick<Client, 'client_id' | 'client_metadata'>
  organization: OrganizationConfiguration | undefined
}

/** The page inside the environment's own template, or undefined when there is none or it fails. */
export async function inFrame(around: Surroundings, alone: string): Promise<string | undefined> {
  const template = around.request.environment?.branding?.page_template
  if (!template) return undefined
  const [, head = '', widget = ''] = /<head>\n([\s\S]*?)<\/head>\n<body>\n([\s\S]*)<\/body>/.exec(alone) ?? []
  try {
    return await framePage(template, { head, widget, nonce: around.nonce }, variables(around))
  } catch (error) {
    fails(around.request, 'The page template failed, so the page was shown without it', error)
    return undefined
  }
}

/** The environment's partials of this screen as markup, by insertion point. */
export async function renderPartials(
  around: Surroundings,
  partials: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const rendered: Record<string, string> = {}
  for (const [point, source] of Object.entries(partials)) {
    try {
      rendered[point] = await renderPartial(source, around.nonce, variables(around))
    } catch (error) {
      fails(around.request, `The partial ${point} of ${around.screen} failed, so the page was shown without it`, error)
    }
  }
  return rendered
}

/** Auth0's names. Everything is escaped where it is written. */
const variables = ({ request: { environment }, prompt, screen, language, texts, look, about }: Surroundings) => ({
  branding: { logo_url: look.logo, colors: { primary: look.primaryColor, page_background: look.pageBackground } },
  tenant: {
    friendly_name: friendlyName(environment),
    support_email: environment.settings.support_email,
    support_url: environment.settings.support_url,
    enabled_locales: enabledLocales(environment),
  },
  application: {
    id: about?.client.client_id,
    name: look.application,
    logo_url: look.logo,
    logo_uri: look.logo,
    metadata: about?.client.client_metadata,
  },
  organization: about?.organization && organizationOf(about.organization),
  prompt: { name: prompt, screen: { name: screen, texts } },
  locale: language,
  dir: directionOf(language),
})

const organizationOf = ({ organization_id, name, display_name, metadata, branding }: OrganizationConfiguration) => ({
  id: organization_id,
  name,
  display_name,
  metadata,
  branding,
})

function fails(request: FastifyRequest, what: string, error: unknown): void {
  const description = `${what}: ${error instanceof Error ? error.message : 'unknown'}`
  request.tenantLog.add(request.environment.id, { type: 'w', description, ...asker(request) })
}
