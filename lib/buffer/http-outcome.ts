import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BufferContext } from './buffer.context.js';
import type { HttpOptions } from './buffer.options.js';
import { gateResponse } from './response-gate.js';
import type { HttpUnit, UnitContext, UnitOfWork } from './unit-of-work.js';

/**
 * The unit of work of an HTTP request: it ends with the response, by the status that is sent.
 *
 * However the response comes about, the gate decides; whoever knows the outcome earlier may end the unit before, and the
 * gate finds nothing left to do.
 */
export class HttpOutcome {
  readonly unit: UnitOfWork & { readonly http: HttpUnit };

  constructor(
    buffers: BufferContext,
    options: HttpOptions,
    request: Pick<IncomingMessage, 'method'>,
    stamp: () => UnitContext | undefined,
    route: {
      buffered: boolean | undefined;
      shouldCommit?: HttpOptions['shouldCommit'] | undefined;
    },
  ) {
    const buffered = route.buffered ?? !options.skipMethods.includes(request.method ?? '');
    const http: HttpUnit = { shouldCommit: route.shouldCommit ?? options.shouldCommit };
    this.unit = buffers.begin({ buffered, stamp, http }) as HttpOutcome['unit'];
  }

  /** Watches the response, and ends the unit with it. */
  watch(response: ServerResponse): this {
    gateResponse(response, {
      decide: (status) => this.end(status),
      abandoned: () => this.unit.buffer?.terminate(),
    });
    return this;
  }

  /** Commits or terminates by the status, unless that has been done by hand; a promise when the commit has to wait. */
  end(status: number): void | Promise<void> {
    const { buffer, http } = this.unit;
    if (buffer?.isOpen !== true) return;
    if (!http.shouldCommit(status)) {
      buffer.terminate();
      return;
    }
    const committed = buffer.commit();
    if (typeof committed !== 'number') return committed.then(() => {});
  }
}
