import { setTimeout } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

/**
 * Stands for the world outside, which takes its time: somebody walks to the shelf, a payment is checked. One can watch an
 * order move on, and see that the response to its request has not waited. Tests set it to 0.
 */
@Injectable()
export class Pace {
  ms = 600;

  /** Rejects when the signal is aborted: at shutdown, a handler that is still waiting fails instead of lingering. */
  wait(signal: AbortSignal): Promise<void> {
    return setTimeout(this.ms, undefined, { signal });
  }
}
