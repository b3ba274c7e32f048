/** The system's time, unless a caller of the kit brings another. */
export type Now = () => Date
export const systemTime: Now = () => new Date()
