import type { Emission } from './emission.js';
import type { SqlExecutor } from './sql-executor.js';

/**
 * One destination: the port that everything outside is reached through, be it a broker, a log, a gateway or a handler.
 *
 * What an implementation may rely on:
 * - `deliver` is called with committed emissions only, in the order they were committed, from when the application has
 *   started until `onApplicationShutdown` is called. Connect in `onModuleInit`, close in `onApplicationShutdown`.
 * - It is never called twice at once, unless `concurrency` is greater than 1; then emissions of one `key` still go one
 *   behind another. (A call that exceeded `timeoutMs` counts as over; its signal is aborted.)
 * - It runs outside the async context of whoever emitted.
 *
 * What it owes: to return (or resolve) when the batch has arrived, and to throw when it has not. A throw fails the whole
 * batch, a {@link PartialDeliveryError} the part it names; what failed is retried as the consumer is configured, then
 * signalled and given up. It is delivered at least once: a retry may repeat what had arrived.
 */
export interface EmissionAdapter {
  /** Names the adapter in signals, logs and lists when its registration does not; else its class does. */
  readonly name?: string;
  /**
   * What it means that it has delivered: `acknowledged`, whoever receives has it · `accepted`, somebody has seen it, and perhaps did
   * not keep it · `fire-and-forget`, it has left this process, perhaps. One that says less than `acknowledged` is warned about when
   * its registration is `durable`.
   */
  readonly guarantee?: 'acknowledged' | 'accepted' | 'fire-and-forget';
  /**
   * Tells whether it wants an emission; asked once per emission inside the commit, before anything is queued. Keep it
   * quick and pure. A throw skips this emission for this adapter alone and is signalled as a failure.
   */
  interested?(emission: Emission): boolean;
  /** Delivers a batch of 1 to `batchSize` emissions. */
  deliver(batch: readonly Emission[], context: DeliveryContext): void | Promise<void>;
}

/** What an adapter is told about a call beside the batch. */
export interface DeliveryContext {
  /** 1 for the first try of this batch, growing with each retry. */
  readonly attempt: number;
  /** Aborted when the call has exceeded `timeoutMs`, and when the time to drain at shutdown is over. */
  readonly signal: AbortSignal;
  /** The name the adapter is registered under. */
  readonly consumer: string;
}

/** Takes part in a commit before anything is stored or handed over: critical handlers are run. A throw fails the commit. */
export interface CommitParticipant {
  /**
   * Called with what is about to be handed over, in order. Returns what is to be handed over: these, and behind them what came
   * of them. A promise holds the commit back.
   *
   * @param executor runs statements in the transaction that the commit is part of, when there is one
   */
  accept(
    emissions: readonly Emission[],
    executor?: SqlExecutor,
  ): readonly Emission[] | Promise<readonly Emission[]>;
}

/** Stores for good what a commit owes, before the rest of it is handed over, once there is room for that. */
export interface CommitStorage {
  /** What stores what these owe, or nothing when they owe nothing. A throw fails the commit. */
  plan(emissions: readonly Emission[]): StoreCommit | undefined;
}

/**
 * Stores it, all or none. A rejection fails the commit.
 *
 * @param executor runs statements in the transaction that the commit is part of, when there is one
 */
export type StoreCommit = (executor?: SqlExecutor) => Promise<void>;
