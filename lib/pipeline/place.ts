import type { Emission } from '../emission/emission.js';
import type { Plan } from './hand-over.js';

/** Room for a commit that is being stored, or stands in a transaction: when that is done, it is handed over for certain. */
export interface Place {
  /** Hands over. */
  redeem(): void;
  /** It was not stored: nobody gets it. */
  release(): void;
}

/** What has to be seen to beside the queues. */
export interface PlaceHost {
  /** What has arrived before goes first. */
  queueArrivals(): void;
  handedOver(emissions: readonly Emission[]): void;
  refused(emissions: readonly Emission[]): void;
}

/** A place in the queues of those who want it. */
export class QueuePlace implements Place {
  constructor(
    private readonly plan: Plan,
    private readonly emissions: readonly Emission[],
    private readonly host: PlaceHost,
  ) {
    for (const [consumer, wanted] of plan) consumer.promise(wanted.length);
  }

  redeem(): void {
    this.host.queueArrivals();
    for (const [consumer, wanted] of this.plan) consumer.redeem(wanted);
    this.host.handedOver(this.emissions);
  }

  release(): void {
    this.host.refused(this.emissions);
    for (const [consumer, wanted] of this.plan) consumer.release(wanted.length);
  }
}
