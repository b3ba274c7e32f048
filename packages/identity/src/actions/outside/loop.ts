/**
 * Actions that call their own issuer, which runs Actions for it (RFC 8586). A guest cannot write the header; whoever writes it
 * from outside can only have Actions refused to himself.
 */

const NAME = 'tenantry-actions'

/** What the calls of a run say, that many deep. @param depth 0 for one that no Action has caused */
export const loopHeader = (depth: number): string => Array.from({ length: depth + 1 }, () => NAME).join(', ')

/** How many Actions stand behind a request. Other names in the header are those of proxies on the way. */
export const actionsDeep = (header: string | string[] | undefined): number =>
  header === undefined
    ? 0
    : String(header)
        .split(',')
        .filter((entry) => entry.split(';')[0]!.trim().toLowerCase() === NAME).length
