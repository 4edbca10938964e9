/**
 * Names and payloads of your emissions; add yours by declaration merging, and `emit`, `@OnEmission`, `stream` and the
 * testing kit check them:
 *
 * ```ts
 * declare module 'nestjs-emissions' {
 *   interface EmissionCatalog { 'order.created': { id: string; total: number } }
 * }
 * ```
 */
// oxlint-disable-next-line typescript/no-empty-interface -- filled by its users
export interface EmissionCatalog {}

/** A name of the catalog, or any other: names outside the catalog carry `unknown`. */
export type EmissionName = (keyof EmissionCatalog & string) | (string & {});

/** The payload that belongs to a name: the catalog's, or `unknown`. */
export type PayloadOf<N extends string> = N extends keyof EmissionCatalog
  ? EmissionCatalog[N]
  : unknown;
