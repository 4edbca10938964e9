import { open, type FileHandle } from 'node:fs/promises';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  ADAPTER_OPTIONS,
  PartialDeliveryError,
  type Emission,
  type EmissionAdapter,
} from 'nestjs-emissions';
import type { Arrival } from 'nestjs-emissions/testing';
import type { OtherEnd } from './other-end.js';

/** What crosses to the other end. */
export function toArrival({ id, name, payload }: Emission): Arrival {
  return { id, name, payload };
}

/** Delivers to an object in memory, one by one; filters by name. */
export class MemoryAdapter implements EmissionAdapter {
  readonly name: string = 'memory';

  constructor(protected readonly end: OtherEnd) {}

  interested({ name }: Emission): boolean {
    return !name.startsWith('secret.');
  }

  deliver(batch: readonly Emission[]): void | Promise<void> {
    const failed: Emission[] = [];
    let cause: unknown;
    for (const emission of batch) {
      try {
        this.end.take(toArrival(emission));
      } catch (error) {
        failed.push(emission);
        cause = error;
      }
    }
    if (failed.length > 0) throw new PartialDeliveryError(failed, { cause });
  }
}

/** Appends a line of JSON for each emission to a file, which is open from when the application starts to when it closes. */
@Injectable()
export class JsonLinesAdapter implements EmissionAdapter, OnModuleInit, OnApplicationShutdown {
  #file: FileHandle | undefined;

  constructor(@Inject(ADAPTER_OPTIONS) private readonly options: { path: string }) {}

  async onModuleInit(): Promise<void> {
    this.#file = await open(this.options.path, 'a');
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#file?.close();
  }

  async deliver(batch: readonly Emission[]): Promise<void> {
    const { encoded, failed, cause } = encodeEach(batch);
    if (encoded.length > 0) await this.#file!.appendFile(`${encoded.join('\n')}\n`);
    if (failed.length > 0) throw new PartialDeliveryError(failed, { cause });
  }
}

/** Posts batches as JSON; the answer tells which were refused. */
export class PostingAdapter implements EmissionAdapter {
  constructor(private readonly url: string) {}

  async deliver(batch: readonly Emission[]): Promise<void> {
    const { encoded, failed, cause } = encodeEach(batch);
    if (encoded.length > 0) {
      const body = `[${encoded.join(',')}]`;
      const response = await fetch(this.url, { method: 'POST', body });
      if (response.status !== 204) {
        const refused = new Set((await response.json()) as string[]);
        failed.push(...batch.filter(({ id }) => refused.has(id)));
      }
    }
    if (failed.length > 0) throw new PartialDeliveryError(failed, { cause });
  }
}

function encodeEach(batch: readonly Emission[]): {
  encoded: string[];
  failed: Emission[];
  cause: unknown;
} {
  const encoded: string[] = [];
  const failed: Emission[] = [];
  let cause: unknown;
  for (const emission of batch) {
    try {
      encoded.push(JSON.stringify(toArrival(emission)));
    } catch (error) {
      failed.push(emission);
      cause = error;
    }
  }
  return { encoded, failed, cause };
}
