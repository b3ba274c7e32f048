import { Script } from 'node:vm'

export interface ActionRunner {
  run(i: unknown): Promise<any>
  checkCode(code: string): Promise<{ ok: true } | { ok: false; message: string }>
  close(): Promise<void>
}
export const createActionRunner = (_: unknown): ActionRunner => ({
  run: async () => ({ ok: true, commands: [] }),
  checkCode: async (code) => {
    try {
      new Script(code)
      return { ok: true }
    } catch (error) {
      return { ok: false, message: String(error) }
    }
  },
  close: async () => {},
})
