/**
 * Where a tenant's own host hands over to: `http://acme.localhost:3000/` to `http://localhost:3000/t/acme`.
 * Undefined on the root host. The name is checked by whoever resolves it, not here.
 */
export function tenantHost({ protocol, hostname, port }: Pick<Location, 'protocol' | 'hostname' | 'port'>) {
  const root = '.localhost'
  if (!hostname.endsWith(root)) return undefined
  const slug = hostname.slice(0, -root.length)
  return `${protocol}//localhost${port ? `:${port}` : ''}/t/${encodeURIComponent(slug)}`
}
