/** How Universal Login asks. It asks in one way so far: what says so is accepted, another way is refused by name. */
import { Exact, Nullable, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { unsupported } from '../inert.ts'
import { problems as managementProblems, refusals } from '../management-api.ts'
import { FreeForm } from '../wire.ts'

const tags = ['prompts']

const SETTINGS = { universal_login_experience: 'new', identifier_first: false, webauthn_platform_first_factor: false }
const Settings = Type.Object({
  universal_login_experience: Type.String(),
  identifier_first: Type.Boolean(),
  webauthn_platform_first_factor: Type.Boolean(),
})

/** Auth0's prompts. */
const Prompt = OneOf(
  ...['login', 'login-id', 'login-password', 'login-passwordless', 'login-email-verification', 'signup', 'signup-id'],
  ...['signup-password', 'phone-identifier-enrollment', 'phone-identifier-challenge', 'email-identifier-challenge'],
  ...['reset-password', 'custom-form', 'consent', 'customized-consent', 'logout', 'mfa-push', 'mfa-otp', 'mfa-voice'],
  ...['mfa-phone', 'mfa-webauthn', 'mfa-sms', 'mfa-email', 'mfa-recovery-code', 'mfa', 'status', 'device-flow'],
  ...['email-verification', 'email-otp-challenge', 'organizations', 'invitation', 'common', 'passkeys', 'captcha'],
  ...['brute-force-protection', 'async-approval-flow', 'pre-login-organization-picker', 'login-mfa'],
)
const PromptPath = Exact({ prompt: Prompt })
const TextPath = Exact({
  prompt: Prompt,
  language: Type.String({ pattern: '^[a-z]{2,3}(-[A-Z]{2}|-[0-9]{3})?$' }),
})

/** @throws Problem `operation_not_supported` unless there is nothing to show */
function refuseWords(body: Record<string, unknown>, what: string): void {
  if (Object.keys(body).length === 0) return
  throw managementProblems.operation_not_supported({ facts: { what: `${what} of prompts are not supported yet.` } })
}

export const prompts: Slice<object> = () => async (app) => {
  app.get(
    '/prompts',
    {
      config: { scope: 'read:prompts' },
      schema: {
        operationId: 'getPromptSettings',
        summary: 'Get how Universal Login asks',
        tags,
        response: { 200: Settings, ...refusals() },
      },
    },
    async () => SETTINGS,
  )

  app.patch(
    '/prompts',
    {
      config: { scope: 'update:prompts' },
      schema: {
        operationId: 'updatePromptSettings',
        summary: 'Change how Universal Login asks: only what it does already is accepted',
        tags,
        body: Exact({
          universal_login_experience: Type.Optional(OneOf('new', 'classic')),
          identifier_first: Type.Optional(Nullable(Type.Boolean())),
          webauthn_platform_first_factor: Type.Optional(Nullable(Type.Boolean())),
        }),
        response: { 200: Settings, ...refusals(400, 501) },
      },
    },
    async ({ body }) => {
      if (body.universal_login_experience === 'classic') throw unsupported('universal_login_experience')
      if (body.identifier_first) throw unsupported('identifier_first')
      if (body.webauthn_platform_first_factor) throw unsupported('webauthn_platform_first_factor')
      return SETTINGS
    },
  )

  app.get(
    '/prompts/:prompt/custom-text/:language',
    {
      config: { scope: 'read:prompts' },
      schema: {
        operationId: 'getCustomText',
        summary: 'Get the texts of a prompt that were changed',
        tags,
        params: TextPath,
        response: { 200: FreeForm, ...refusals(400) },
      },
    },
    async () => ({}),
  )

  app.put(
    '/prompts/:prompt/custom-text/:language',
    {
      config: { scope: 'update:prompts' },
      schema: {
        operationId: 'setCustomText',
        summary: 'Change the texts of a prompt: not yet, only taking all changes back',
        tags,
        params: TextPath,
        body: FreeForm,
        response: { 204: Type.Null(), ...refusals(400, 501) },
      },
    },
    async (request, reply) => {
      refuseWords(request.body, 'Texts')
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/prompts/:prompt/partials',
    {
      config: { scope: 'read:prompts' },
      schema: {
        operationId: 'getPartials',
        summary: 'Get the partials of a prompt',
        tags,
        params: PromptPath,
        response: { 200: FreeForm, ...refusals(400) },
      },
    },
    async () => ({}),
  )

  app.put(
    '/prompts/:prompt/partials',
    {
      config: { scope: 'update:prompts' },
      schema: {
        operationId: 'setPartials',
        summary: 'Set the partials of a prompt: not yet, only taking all of them away',
        tags,
        params: PromptPath,
        body: FreeForm,
        response: { 204: Type.Null(), ...refusals(400, 501) },
      },
    },
    async (request, reply) => {
      refuseWords(request.body, 'Partials')
      return reply.code(204).send(null)
    },
  )
}
