/**
 * A copy of a header's text, to be remembered. What was cut out of a head keeps all of it in memory: a thousand names
 * would hold a thousand heads.
 */
export const ownText = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')
