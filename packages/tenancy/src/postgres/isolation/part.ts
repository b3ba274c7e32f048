/** The parts of an inspection: each looks at one kind of thing, in SQL, and says of each problem why it is one. */

/** `leak`: tenants can read, change or learn of each other. `risk`: one mistake or one more statement away from it. */
export type Severity = 'leak' | 'risk'

export interface ProblemWords {
  severity: Severity
  /** `{detail}` stands for what the row of the catalog names. */
  why: string
}

export interface Part<Problem extends string = string> {
  /** Further tables of the question, after those of `catalogOf`. */
  tables?: string
  /** Rows of kind, object, problem, detail, remedy, facts. */
  sql: string
  problems: Record<Problem, ProblemWords>
}

/** Keeps the names of the problems, which become the type of the findings. */
export const part = <Problem extends string>(definition: Part<Problem>): Part<Problem> => definition
