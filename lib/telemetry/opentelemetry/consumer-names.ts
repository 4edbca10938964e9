import type { Attributes } from '@opentelemetry/api';

/** What everything beyond the limit is counted as. */
const OTHER = 'other';

/** The adapters and handlers that metrics tell apart: no more than so many, whatever is subscribed. */
export class ConsumerNames {
  readonly #names = new Set<string>();

  constructor(private readonly most: number) {}

  known(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.most) return OTHER;
    this.#names.add(name);
    return name;
  }

  attributesOf(name: string, kind?: 'adapter' | 'handler'): Attributes {
    return {
      'emissions.consumer': this.known(name),
      ...(kind !== undefined && { 'emissions.kind': kind }),
    };
  }
}
