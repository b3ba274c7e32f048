/** What would become of a request to one of the environment's own APIs: an operation of ours, which Amazon has not. */
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import type { Question } from '../../explain.ts'
import { type ControlPlaneDeps, Maybe, Text, TextMap } from '../operation.ts'
import { badRequest, notImplemented } from '../problems.ts'

const StepShape = Exact({
  at: Type.String(),
  check: Type.String(),
  passed: Type.Union([Type.Boolean(), Type.Null()]),
  expected: Maybe(Type.String()),
  actual: Maybe(Type.String()),
})

export const explanations: Slice<ControlPlaneDeps> =
  ({ explain }) =>
  async (app) => {
    app.post(
      '/tenantry/explain',
      {
        schema: {
          ...{ operationId: 'Explain', summary: 'Say why a request is answered as it is', tags: ['explanations'] },
          body: Exact({ method: Text(16, 1), url: Text(8192, 1), headers: Maybe(TextMap), token: Maybe(Text(10_240)) }),
          response: {
            200: Exact({
              answer: Type.Union([Exact({ status: Type.Integer(), body: Type.String() }), Type.Null()]),
              steps: Type.Array(StepShape),
            }),
          },
        },
      },
      async ({ signedBy: { accountId }, body }) => {
        if (explain === undefined) {
          throw notImplemented('Requests are explained where they are served: no gateway runs in this process.')
        }
        const { answer, steps } = await explain(body as Question, (api) => api.accountId === accountId).catch(
          (error: Error) => {
            throw badRequest(error.message)
          },
        )
        return { answer, steps: [...steps] }
      },
    )
  }
