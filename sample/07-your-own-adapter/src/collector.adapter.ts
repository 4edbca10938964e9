import { Inject, Injectable } from '@nestjs/common';
import { ADAPTER_OPTIONS, PartialDeliveryError, toCloudEvent } from 'nestjs-emissions';
import type { DeliveryContext, Emission, EmissionAdapter } from 'nestjs-emissions';

/** Posts batches to a collector, one CloudEvent a line. */
@Injectable()
export class CollectorAdapter implements EmissionAdapter {
  constructor(@Inject(ADAPTER_OPTIONS) private readonly options: { url: string }) {}

  async deliver(batch: readonly Emission[], { signal }: DeliveryContext): Promise<void> {
    const failed = new Set<Emission>();
    const lines = batch.map((emission) => {
      try {
        return `${JSON.stringify(toCloudEvent(emission))}\n`;
      } catch {
        failed.add(emission); // there is no JSON for it: it fails, and the others go
        return '';
      }
    });
    const body = lines.join('');
    const answer = await fetch(this.options.url, { method: 'POST', body, signal });
    if (!answer.ok) throw new Error(`The collector answered ${answer.status}.`);
    const refused = (await answer.json()) as string[]; // ids
    for (const emission of batch) if (refused.includes(emission.id)) failed.add(emission);
    if (failed.size > 0) throw new PartialDeliveryError([...failed]);
  }
}
