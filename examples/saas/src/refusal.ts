import { StepRefused } from '@tenantry/tenancy'

/** A request that Stockroom turns down on purpose, and a step of a saga that no further try would help. Everything in it is public. */
export class Refusal extends StepRefused {
  constructor(status: number, code: string, message: string) {
    super(code, message, status)
    this.name = 'Refusal'
  }
}
