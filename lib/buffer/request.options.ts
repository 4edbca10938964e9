import type { ExecutionContext } from '@nestjs/common';
import type { HttpOptions } from './buffer.options.js';
import type { UnitContext } from './unit-of-work.js';

/** What requests need to know of the module's options; provided by the module under its class. */
export abstract class RequestOptions {
  abstract readonly http: HttpOptions;
  abstract readonly context: ((context: ExecutionContext) => UnitContext | undefined) | undefined;
}
