export interface ActionRunner {
  run(i: unknown): Promise<any>
  close(): Promise<void>
}
export const createActionRunner = (_: unknown): ActionRunner => ({
  run: async () => ({ ok: true, commands: [] }),
  close: async () => {},
})
