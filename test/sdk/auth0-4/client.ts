/** Version 4: typed, `{ data }` around every answer, one object of path and query parameters. */
import type { ManagementClient } from 'auth0-4'
import type { SdkWorld } from '../fixture.ts'

export interface Opened {
  world: SdkWorld
  api: ManagementClient
  /** A client in another environment; its calls count as well. */
  into(world: SdkWorld): ManagementClient
}
export type Open = () => Opened

export const data = async <Data>(answer: Promise<{ data: Data }>): Promise<Data> => (await answer).data

/** A page of a list with a checkpoint, which most types of this version do not know. */
export async function checkpoint<Item>(
  answer: Promise<{ data: unknown }>,
  name: string,
): Promise<{ items: Item[]; next: string | undefined }> {
  const page = (await answer).data as Record<string, unknown>
  return { items: page[name] as Item[], next: page.next as string | undefined }
}

/** Every method of every manager. */
export function methodsOf(client: ManagementClient): string[] {
  return Object.entries(client)
    .filter(([name]) => name !== 'configuration')
    .flatMap(([name, manager]) =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(manager))
        .filter((method) => method !== 'constructor')
        .map((method) => `${name}.${method}`),
    )
}
