/** A name as statements take it, whatever word of SQL it is: `order` would be read as one. Names of ours hold no quotes. */
export function identifierOf(name: string): string {
  return `"${name}"`;
}
