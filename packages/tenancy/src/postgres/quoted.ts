/** A name as PostgreSQL reads it, whatever is in it. For statements that take no parameters, and for search_path. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
