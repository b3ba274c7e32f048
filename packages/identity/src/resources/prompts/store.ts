import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { PromptSettings } from '../../environments/environment.ts'
import type { CustomTexts, Partials } from './schema.ts'

export async function texts(tx: Tx, prompt: string, language: string): Promise<CustomTexts> {
  const [row] = await tx<{ texts: CustomTexts }[]>`
    select texts from prompt_texts where prompt = ${prompt} and language = ${language}`
  return row?.texts ?? {}
}

export async function saveTexts(
  tx: Tx,
  environmentId: string,
  prompt: string,
  language: string,
  texts: CustomTexts,
): Promise<void> {
  await tx`
    insert into prompt_texts ${tx({ environment_id: environmentId, prompt, language, texts: tx.json(texts) })}
    on conflict (environment_id, prompt, language) do update set texts = excluded.texts`
}

export async function partials(tx: Tx, prompt: string): Promise<Partials> {
  const [row] = await tx<{ partials: Partials }[]>`select partials from prompt_partials where prompt = ${prompt}`
  return row?.partials ?? {}
}

export async function savePartials(tx: Tx, environmentId: string, prompt: string, partials: Partials): Promise<void> {
  await tx`
    insert into prompt_partials ${tx({ environment_id: environmentId, prompt, partials: tx.json(partials) })}
    on conflict (environment_id, prompt) do update set partials = excluded.partials`
}

export interface WordsRow {
  prompt: string
  texts: CustomTexts
}

/** Of a prompt and of what all prompts share; the locale's own after those of its language. */
export const words = (tx: Tx, prompt: string, languages: readonly [general: string, own: string]) => tx<WordsRow[]>`
  select prompt, texts from prompt_texts
  where prompt in ('common', ${prompt}) and language in (${languages[0]}, ${languages[1]})
  order by (prompt = ${prompt}), (language = ${languages[1]})`

/** The members that are given; the others stay. @returns all of them */
export async function saveSettings(tx: Tx, environmentId: string, change: PromptSettings): Promise<PromptSettings> {
  const [row] = await tx<{ prompts: PromptSettings }[]>`
    update environments set prompts = prompts || ${tx.json({ ...change })} where id = ${environmentId} returning prompts`
  return row!.prompts
}
