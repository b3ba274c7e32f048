/** Options of the connections in which people have no password: `email` and `sms`, as far as they are obeyed. */
import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { renderWritten } from '../../delivery/render.ts'
import { addressOf } from '../email-templates/rules.ts'
import { only } from '../inert.ts'

export const PASSWORDLESS = ['email', 'sms'] as const
export type PasswordlessStrategy = (typeof PASSWORDLESS)[number]

export const isPasswordless = (strategy: string): strategy is PasswordlessStrategy =>
  (PASSWORDLESS as readonly string[]).includes(strategy)

const Liquid = Type.String({ maxLength: 20_000 })
const Syntax = Type.Optional(Type.Unsafe<'liquid'>({ enum: ['liquid'] }))

export const passwordlessMembers = {
  name: Type.Optional(Type.String({ maxLength: 128 })),
  /** Digits of a code, and seconds that it lives. */
  totp: Type.Optional(
    Exact({
      length: Type.Optional(Type.Integer({ minimum: 6, maximum: 10 })),
      time_step: Type.Optional(Type.Integer({ minimum: 60, maximum: 3600 })),
    }),
  ),
  /** Of mails; members that are not given are worded as they come along. */
  email: Type.Optional(
    Exact({
      from: Type.Optional(Type.String({ maxLength: 400 })),
      subject: Type.Optional(Type.String({ maxLength: 1000 })),
      body: Type.Optional(Liquid),
      syntax: Syntax,
    }),
  ),
  /** Of text messages. */
  template: Type.Optional(Liquid),
  syntax: Syntax,
}
export type PasswordlessInput = {
  [Name in keyof typeof passwordlessMembers]?: Static<(typeof passwordlessMembers)[Name]>
} & { disable_signup?: boolean | undefined }

export interface PasswordlessOptions {
  name?: string
  totp: { length: number; time_step: number }
  email?: { from?: string; subject?: string; body?: string; syntax?: 'liquid' }
  template?: string
  disable_signup: boolean
  brute_force_protection: true
}

/** Messages leave by the environment's phone provider, whatever a connection says of one. */
export const inertPasswordless = {
  from: only('', null),
  provider: only(null),
  gateway_url: only('', null),
  gateway_authentication: only(null),
  forward_req_info: only(false, null),
  twilio_sid: only('', null),
  twilio_token: only('', null),
  messaging_service_sid: only('', null),
  auth_params: only({}, null),
  authParams: only({}, null),
}

const TOTP = { length: 6, time_step: 180 }

export const passwordlessOptions = (asked: PasswordlessInput): PasswordlessOptions => ({
  ...(asked.name === undefined ? {} : { name: asked.name }),
  totp: { ...TOTP, ...asked.totp },
  ...(asked.email === undefined ? {} : { email: asked.email }),
  ...(asked.template === undefined ? {} : { template: asked.template }),
  disable_signup: asked.disable_signup ?? false,
  brute_force_protection: true,
})

/** Tried out with nothing in it. @returns what is wrong with it, or undefined */
export async function refusalOfWording({
  email,
  template,
}: Pick<PasswordlessOptions, 'email' | 'template'>): Promise<string | undefined> {
  const sources = [
    ['html', 'email.body', email?.body],
    ['text', 'email.subject', email?.subject],
    ['text', 'template', template],
  ] as const
  for (const [form, member, source] of sources) {
    try {
      if (source) await renderWritten(form, source, {})
    } catch (error) {
      return `'options.${member}' is not Liquid that renders: ${(error as Error).message.slice(0, 300)}`
    }
  }
  if (email?.from && !addressOf(email.from)) {
    return "'options.email.from' must be one e-mail address, or a name and <address>."
  }
  return undefined
}
