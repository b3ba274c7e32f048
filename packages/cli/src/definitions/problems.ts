import { defineProblems } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  file_unreadable: { status: 400, title: 'The file {file} cannot be read: {reason}.' },
  file_unwritable: { status: 400, title: 'The file {file} cannot be written: {reason}.' },
  option_malformed: { status: 400, title: '--{option} {pair} is not name=value.' },
  option_unknown: { status: 400, title: '--{option} must be one of {known}, not "{value}".' },
  api_ambiguous: { status: 400, title: 'The definition has {found}: choose one with --api and --stage.' },
  option_missing: { status: 400, title: 'Say --{option}, as in --{option} {example}.' },
  header_malformed: { status: 400, title: '--header wants "name: value".' },
  request_unusable: { status: 400, title: 'This is no request: {reason}.' },
  out_missing: { status: 400, title: 'A configuration for HAProxy is several files: name a directory with --out.' },
})
