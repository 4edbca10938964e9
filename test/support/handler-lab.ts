import { afterAll, afterEach, beforeAll } from '@jest/globals';
import {
  EmissionsModule,
  type Emission,
  type EmissionHandler,
  type Emissions,
  type EmissionsOptions,
  type EmitOptions,
  type HandlerOptions,
  type Subscription,
} from 'nestjs-emissions';
import { RecordingAdapter } from './adapters.js';
import { start, type RunningApp } from './app.js';

/** An application for all tests of a file, whose adapter records; after each test it is as it was before. */
export class HandlerLab {
  readonly recorder = new RecordingAdapter();
  readonly #always: HandlerOptions;
  #running: RunningApp | undefined;
  #subscriptions: Subscription[] = [];

  /** @param always what the handlers of this file have in common */
  constructor(options: EmissionsOptions = {}, always: HandlerOptions = {}) {
    this.#always = always;
    const adapters = [{ name: 'recorder', useValue: this.recorder }];
    beforeAll(async () => {
      this.#running = await start({ imports: [EmissionsModule.forRoot({ ...options, adapters })] });
    });
    afterAll(() => this.#running!.close());
    afterEach(async () => {
      await this.emissions.settled();
      this.recorder.batches.length = 0;
      for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
    });
  }

  get emissions(): Emissions {
    return this.#running!.emissions;
  }

  /** Subscribes until the end of the test. */
  readonly on = (
    pattern: string,
    method: EmissionHandler<any>,
    options: HandlerOptions = {},
  ): void => {
    const all = { ...this.#always, ...options };
    this.#subscriptions.push(this.emissions.subscribe(pattern, method, all));
  };

  /** Emits as a handler does. */
  readonly cascade = (
    name: string,
    payload?: unknown,
    options?: EmitOptions,
  ): Emission | undefined => this.emissions.emit(name, payload, undefined, options);
}
