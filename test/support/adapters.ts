import type { DeliveryContext, Emission, EmissionAdapter } from 'nestjs-emissions';

/** Remembers every batch it was given. */
export class RecordingAdapter implements EmissionAdapter {
  readonly batches: (readonly Emission[])[] = [];
  /** What it was told with each batch. */
  readonly contexts: DeliveryContext[] = [];

  deliver(batch: readonly Emission[], context?: DeliveryContext): void | Promise<void> {
    this.batches.push(batch);
    if (context !== undefined) this.contexts.push(context);
  }

  get emissions(): Emission[] {
    return this.batches.flat();
  }

  get names(): string[] {
    return this.emissions.map(({ name }) => name);
  }

  get payloads(): unknown[] {
    return this.emissions.map(({ payload }) => payload);
  }

  /** How large each batch was. */
  get sizes(): number[] {
    return this.batches.map(({ length }) => length);
  }
}

/** Delivers when, and only when, the test says so. */
export class HeldAdapter extends RecordingAdapter {
  readonly #calls: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  override deliver(batch: readonly Emission[], context?: DeliveryContext): Promise<void> {
    void super.deliver(batch, context);
    return new Promise((resolve, reject) => this.#calls.push({ resolve, reject }));
  }

  /** How many calls have not settled. */
  get running(): number {
    return this.#calls.length;
  }

  /** Lets the oldest running call succeed. */
  release(): void {
    this.#calls.shift()?.resolve();
  }

  /** Lets the oldest running call fail. */
  fail(error: unknown): void {
    this.#calls.shift()?.reject(error);
  }
}

/** Does with each call what the test says, in turn; succeeds when that is used up. */
export class ScriptedAdapter extends RecordingAdapter {
  readonly #script: ((batch: readonly Emission[], context: DeliveryContext) => unknown)[];

  constructor(...script: ((batch: readonly Emission[], context: DeliveryContext) => unknown)[]) {
    super();
    this.#script = script;
  }

  override deliver(batch: readonly Emission[], context: DeliveryContext): void | Promise<void> {
    void super.deliver(batch, context);
    return this.#script.shift()?.(batch, context) as void | Promise<void>;
  }
}

/** Throws an error, as a step of a script. */
export function failing(error: unknown): () => never {
  return () => {
    throw error;
  };
}
