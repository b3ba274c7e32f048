export const openActionSecrets = (..._: any[]): any => ({})
