/** What an environment's pages say and hold beyond our own, kept in memory with the rest of its configuration. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { ConfigurationCache } from '../configuration-cache.ts'
import { translationOf } from '../languages.ts'
import * as store from '../resources/prompts/store.ts'
import type { Texts } from './texts.ts'

export interface Words {
  texts: Texts
  /** By insertion point, as Liquid. */
  partials: Readonly<Record<string, string>>
}

export interface Screen {
  prompt: string
  screen: string
  language: string
}

export type ReadWords = (environmentId: string, screen: Screen) => Promise<Words>

const NONE: Words = { texts: {}, partials: {} }

export const createWords =
  ({ database, cache }: { database: Database; cache: ConfigurationCache }): ReadWords =>
  async (environmentId, { prompt, screen, language }) => {
    const found = await cache.remember(environmentId, ['words', prompt, screen, language], () =>
      database.inEnvironment(environmentId, async (tx): Promise<Words> => {
        const languages = [translationOf(language) ?? language, language] as const
        const [rows, partials] = await Promise.all([store.words(tx, prompt, languages), store.partials(tx, prompt)])
        const texts = rows.map((row) => row.texts[row.prompt === 'common' && prompt !== 'common' ? 'common' : screen])
        return { texts: Object.assign({}, ...texts), partials: partials[screen] ?? {} }
      }),
    )
    return found ?? NONE
  }
