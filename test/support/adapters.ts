import type { DeliveryContext, Emission, EmissionAdapter } from 'nestjs-emissions';

/** Remembers every batch it was given. */
export class RecordingAdapter implements EmissionAdapter {
  readonly batches: (readonly Emission[])[] = [];

  deliver(batch: readonly Emission[], _context?: DeliveryContext): void | Promise<void> {
    this.batches.push(batch);
  }

  get emissions(): Emission[] {
    return this.batches.flat();
  }

  get names(): string[] {
    return this.emissions.map(({ name }) => name);
  }
}

/** Delivers when, and only when, the test says so. */
export class HeldAdapter extends RecordingAdapter {
  readonly #calls: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  override deliver(batch: readonly Emission[]): Promise<void> {
    this.batches.push(batch);
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
