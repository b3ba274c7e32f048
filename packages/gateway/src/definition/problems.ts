import { defineProblems } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  /** `facts.findings` holds every error with its place. */
  definition_refused: { status: 400, title: 'The API definition was refused. {summary}' },
  /** What is asked for cannot be written in another format without changing what it does. */
  definition_not_exportable: { status: 400, title: 'The API cannot be exported: {reason}.' },
})
