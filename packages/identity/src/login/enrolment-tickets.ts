/**
 * The page behind an enrolment ticket: a second factor is added without a sign-in. The ticket in the address is the proof;
 * it is used up when the factor is confirmed, not when the link is opened. What was begun travels in the form, and counts
 * only for the person of the ticket.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import { toProblem } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { renderSVG } from 'uqr'
import { friendlyName } from '../environments/environment.ts'
import { asker } from '../logs/tenant-log.ts'
import { readForm } from '../oauth/parameters.ts'
import { isAddableByLink } from '../resources/guardian/enrollments/rules.ts'
import * as store from '../resources/guardian/enrollments/store.ts'
import * as users from '../resources/users/store.ts'
import { masked } from './factors/email.ts'
import type { FactorName, Method, Person } from './factors/factor.ts'
import type { Factors } from './factors/factors.ts'
import { environmentLook } from './look.ts'
import { type PageName, sendPage } from './pages.ts'
import { refusalOfSending } from './steps/factors/code.ts'
import { problems as ticketProblems } from './tickets.ts'
import { problems as transactionProblems } from './transactions.ts'

const PAGE = '/u/mfa-enrollment'
type Form = Readonly<Record<string, string>>

interface Opened {
  reply: FastifyReply
  handle: string
  ticket: store.EnrolmentTicket
  person: Person
  /** What this ticket may add. */
  factors: FactorName[]
}

export const enrolmentTicketPages =
  ({ database, clock, factors }: { database: Database; clock: Clock; factors: Factors }) =>
  async (app: Api) => {
    app.get(PAGE, async (request, reply) => {
      const opened = await open(request, reply, parseQuery(request.raw.url ?? '').ticket)
      if (!opened.ticket.allow_multiple && (await hasFactor(opened))) return result(opened, 'alreadyEnrolled', 409)
      return opened.factors.length === 1 ? begin(opened, opened.factors[0]!) : options(opened)
    })

    app.post(PAGE, { bodyLimit: 16 * 1024 }, async (request, reply) => {
      const { origin } = request.headers
      if (origin !== undefined && origin !== request.environment.origin) throw transactionProblems.cross_site_post()
      const form = readForm(request.body)
      const opened = await open(request, reply, form.ticket)
      if (form.action === 'pick-authenticator') return options(opened)
      const chosen = opened.factors.find((name) => name === form.action)
      if (chosen) return begin(opened, chosen)
      if (form.phone !== undefined && opened.factors.includes('sms')) return beginSms(opened, form.phone)
      const method = form.method ? (await factors.begun(opened.person, form.method))?.method : undefined
      if (!method || !opened.factors.includes(method.factor)) return options(opened)
      return form.action === 'resend-code' ? challenge(opened, method) : confirm(opened, method, form)
    })

    /** @throws Problem `ticket_unusable` */
    async function open(request: FastifyRequest, reply: FastifyReply, handle: string | undefined): Promise<Opened> {
      const { environment } = request
      const found = await database.inEnvironment(environment.id, async (tx) => {
        const ticket = handle ? await store.find(tx, hashHandle(handle), clock.now()) : undefined
        const user = ticket && (await users.find(tx, ticket.user_id))
        return ticket && user && !user.blocked ? { ticket, user } : undefined
      })
      if (!found) throw ticketProblems.ticket_unusable()
      const { ticket, user } = found
      const person: Person = { environment, user, product: friendlyName(environment), about: asker(request) }
      const all = (await factors.enrollable(person, [])).filter(isAddableByLink)
      const usable = ticket.factor ? all.filter((name) => name === ticket.factor) : all
      if (usable.length === 0) throw ticketProblems.ticket_unusable()
      return { reply, handle: handle!, ticket, person, factors: usable }
    }

    const hasFactor = async ({ person }: Opened) =>
      (await factors.enrolled(person)).some(({ factor }) => factor !== 'email')

    async function begin(opened: Opened, factor: FactorName) {
      if (factor === 'sms') return show(opened, 'mfa-sms-enrollment', { phone: '' })
      const { method } = await factors.enrol(opened.person, factor)
      return factor === 'email' ? challenge(opened, method) : showSecret(opened, method)
    }

    async function beginSms(opened: Opened, typed: string) {
      try {
        const { method } = await factors.enrol(opened.person, 'sms', { phoneNumber: typed.slice(0, 40) })
        return await challenge(opened, method)
      } catch (error) {
        if (toProblem(error).code !== 'invalid_contact') throw error
        return show(opened, 'mfa-sms-enrollment', { phone: typed.slice(0, 40), refused: 'invalid-phone' }, 400)
      }
    }

    async function challenge(opened: Opened, method: Method) {
      try {
        await factors.challenge(opened.person, method, opened.handle)
        return showCode(opened, method)
      } catch (error) {
        const { refused, status } = refusalOfSending(error, opened.reply.request.log)
        return showCode(opened, method, refused, status)
      }
    }

    async function confirm(opened: Opened, method: Method, form: Form) {
      const { person, ticket, handle } = opened
      const outcome = await factors.confirm(person, method.id, handle, form.code ?? '', ticket.allow_multiple)
      if (outcome === 'refused') return result(opened, 'alreadyEnrolled', 409)
      if (outcome === 'gone') throw ticketProblems.ticket_unusable()
      if (outcome === 'right') {
        await database.once(person.environment.id, (tx) => store.redeem(tx, hashHandle(handle)))
        return result(opened, 'enrolled')
      }
      const [refused, status] = outcome === 'wrong' ? ['invalid-code', 400] : ['too-many-failures', 429]
      return method.factor === 'otp'
        ? showSecret(opened, method, refused as string, status as number)
        : showCode(opened, method, refused as string, status as number)
    }

    async function showSecret(opened: Opened, { id }: Method, refused?: string, status = 200) {
      const begun = await factors.begun(opened.person, id)
      if (!begun) return options(opened)
      const { secret, barcode_uri } = begun.shown
      const values = {
        method: id,
        refused,
        qr: renderSVG(String(barcode_uri), { border: 2 }),
        secret: String(secret).replace(/(.{4})(?=.)/g, '$1 '),
      }
      return show(opened, 'mfa-otp-enrollment', values, status)
    }

    function showCode(opened: Opened, { id, email, phone_number }: Method, refused?: string, status = 200) {
      const sentTo = email ? masked(email) : phone_number?.slice(-2)
      const page = email ? 'mfa-email-challenge' : 'mfa-sms-challenge'
      return show(opened, page, { method: id, refused, sent_to: sentTo }, status)
    }

    const options = (opened: Opened) =>
      show(opened, 'mfa-enroll-options', {
        options: opened.factors.map((factor) => ({ factor, value: factor, hint: '' })),
      })

    const result = (opened: Opened, name: 'enrolled' | 'alreadyEnrolled', status = 200) =>
      show(opened, 'mfa-enroll-result', { name }, status)

    const show = (
      { reply, handle, person, factors: all }: Opened,
      page: PageName,
      values: Record<string, unknown>,
      status = 200,
    ) =>
      sendPage(reply, page, {
        status,
        look: environmentLook(person.environment),
        values: { ...values, action: PAGE, ticket: handle, may_pick: all.length > 1 },
      })
  }
