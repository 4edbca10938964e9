import { emissionTypeOf, type EmissionClass } from '../../emission/emission-type.decorator.js';
import type { Emission } from '../../emission/emission.js';
import { sealed, snapshot } from '../../emission/snapshot.js';
import { deserialize, serialize, type KnownTypes } from './serializer.js';

/** An emission as it stands in the database: its fields, readable, and the types that JSON does not have. */
export interface StoredEmission {
  readonly emission: Readonly<Record<string, unknown>>;
  readonly types?: Readonly<Record<string, string>>;
}

/** Writes emissions for the database, and makes them again: frozen, equal, and of the same types. */
export class EmissionStorage {
  readonly #known = new Map<string, abstract new (...args: never[]) => object>();

  /** Lets instances of a class marked with `@EmissionType` be made again; of several with one name, those of the latest version. */
  register(type: EmissionClass): void {
    const marked = emissionTypeOf(type);
    if (marked === undefined) return;
    const { version = 0 } = emissionTypeOf(this.#known.get(marked.name)) ?? {};
    if (marked.version >= version) this.#known.set(marked.name, type as never);
  }

  /** @throws DeliveryDataError naming the path of what cannot be stored */
  store(emission: Emission): StoredEmission {
    const { id: _, ...fields } = emission;
    const said: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined || name === 'payload') said[name] = value;
    }
    const { json, types } = serialize(said);
    return { emission: json as Record<string, unknown>, ...(types && { types }) };
  }

  /** @throws UnknownTypeError when it holds an instance of a class that is not known here, or not in its version */
  restore(id: string, { emission, types }: StoredEmission): Emission {
    const known: KnownTypes = this.#known;
    const fields = deserialize({ json: emission, types }, known) as Omit<Emission, 'id'>;
    return sealed({
      ...fields,
      id,
      payload: snapshot(fields.payload),
      metadata: snapshot(fields.metadata, 'metadata'),
    });
  }
}
