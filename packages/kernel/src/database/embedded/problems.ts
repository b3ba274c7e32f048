import { defineProblems } from '../../problem.ts'

export const problems = defineProblems({
  embedded_unsupported: {
    status: 500,
    title:
      'There is no embedded PostgreSQL for {platform} in node_modules. Run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL server (15 or newer).',
  },
  embedded_locked: {
    status: 500,
    title:
      'The database in {directory} is in use by process {pid}. Stop that process (it may be another Tenantry in a different terminal), or give this one a directory of its own.',
  },
  embedded_unreadable: {
    status: 500,
    title:
      'The database in {directory} belongs to another user: {reason}. Start Tenantry as that user, or change the owner of the directory.',
  },
  embedded_unreachable: {
    status: 500,
    title:
      'The database in {data} can no longer be reached by the unprivileged user {uid} that PostgreSQL runs as. Allow it to pass through the folders above (chmod o+x), or move the database to where it can.',
  },
  embedded_incomplete: {
    status: 500,
    title:
      'The database in {directory} cannot be opened: {reason}. Restore it from a backup, or delete the directory to begin with an empty database.',
  },
  embedded_failed: {
    status: 500,
    title: '{step} failed. PostgreSQL says:\n{log}\nThe whole log is {file}.',
  },
})
