import { defineProblems } from '@tenantry/kernel/problem.ts'

export const actionProblems = defineProblems({
  unsupported_trigger: { status: 400, title: 'The trigger "{trigger}" is not supported. Supported: {supported}.' },
  engine_vulnerable: {
    status: 500,
    title:
      'Actions cannot run: isolated-vm {version} has a known escape (GHSA-864f-rcv7-6rh4). Install 7.0.1 or later with "npm ci".',
  },
})
