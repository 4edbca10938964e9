import type { JobWithMetadata, PgBoss } from 'pg-boss';
import type { ClaimStatements } from './claim.statements.js';
import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { Claim, DeliveryQueue } from '../delivery/delivery.js';
import type { StoredEmission } from '../storage/stored-emission.js';

const UNIQUE_VIOLATION = '23505';

type ClaimedJob = Pick<
  JobWithMetadata<StoredEmission>,
  'id' | 'data' | 'retryCount' | 'retryLimit' | 'createdOn' | 'priority' | 'singletonKey'
>;

/** Who hands out, and what runs a statement. */
export interface ClaimSource {
  readonly boss: PgBoss;
  readonly db: SqlExecutor;
  /** What pg-boss is told to use. */
  readonly through: { readonly db?: SqlExecutor };
}

/** Takes deliveries that are due, by statements of our own where pg-boss would look through all there is. */
export class PgBossClaims {
  readonly #sql: ClaimStatements;
  readonly #walks: boolean;
  readonly #lastKeys: Map<string, string> = new Map<string, string>();

  /** @param walks whether the database takes our own statements */
  constructor(sql: ClaimStatements, walks: boolean) {
    this.#sql = sql;
    this.#walks = walks;
  }

  async claim(from: ClaimSource, queue: DeliveryQueue, limit: number): Promise<Claim[]> {
    const jobs = await this.#claimed(from, queue, limit);
    return jobs.sort(byTurn).map(({ id, retryCount, retryLimit, data, createdOn }) => ({
      id,
      attempt: retryCount + 1,
      maxAttempts: retryLimit + 1,
      data,
      storedAt: createdOn,
    }));
  }

  #claimed(
    from: ClaimSource,
    { name, isKeyed, tenantConcurrency }: DeliveryQueue,
    limit: number,
  ): Promise<ClaimedJob[]> {
    if (!this.#walks) return this.#fetch(from, name, limit, tenantConcurrency);
    if (tenantConcurrency !== undefined) {
      const { claimKeysOfShares, claimShares } = this.#sql;
      const text = isKeyed ? claimKeysOfShares : claimShares;
      return this.#claimRows(from, text, [name, '', limit, tenantConcurrency]);
    }
    return isKeyed ? this.#claimKeys(from, name, limit) : this.#fetch(from, name, limit, undefined);
  }

  /** What pg-boss looks at first may all be one tenant's, whose share is used up then: until it finds nothing. */
  async #fetch(
    from: ClaimSource,
    name: string,
    limit: number,
    groupConcurrency: number | undefined,
  ): Promise<ClaimedJob[]> {
    const options = { batchSize: limit, includeMetadata: true, ...from.through } as const;
    if (groupConcurrency === undefined) return from.boss.fetch<StoredEmission>(name, options);
    const all: ClaimedJob[] = [];
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one behind another
      const some = await from.boss.fetch<StoredEmission>(name, {
        ...options,
        batchSize: limit - all.length,
        groupConcurrency,
      });
      all.push(...some);
      if (some.length === 0 || all.length === limit) return all;
    }
  }

  /** Goes on behind the key that was last, so that each has its turn. */
  async #claimKeys(from: ClaimSource, name: string, limit: number): Promise<ClaimedJob[]> {
    const after = this.#lastKeys.get(name) ?? '';
    const claimed = await this.#claimKeysAfter(from, name, after, limit);
    const all =
      claimed.length === limit || after === ''
        ? claimed
        : claimed.concat(await this.#claimKeysAfter(from, name, '', limit - claimed.length));
    const last = all.at(-1)?.singletonKey;
    this.#lastKeys.set(name, all.length === limit ? last! : '');
    return all;
  }

  async #claimKeysAfter(
    from: ClaimSource,
    name: string,
    after: string,
    limit: number,
  ): Promise<ClaimedJob[]> {
    const rows = await this.#claimRows(from, this.#sql.claimKeys, [name, after, limit]);
    return rows.sort((a, b) => (a.singletonKey! < b.singletonKey! ? -1 : 1));
  }

  async #claimRows(from: ClaimSource, text: string, values: unknown[]): Promise<ClaimedJob[]> {
    try {
      return (await from.db.executeSql(text, values)).rows as never;
    } catch (error) {
      // Another process was quicker with a delivery of the same key.
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return [];
      throw error;
    }
  }
}

/** A batch comes back in no order. */
function byTurn(a: ClaimedJob, b: ClaimedJob): number {
  return (
    b.priority - a.priority ||
    a.createdOn.getTime() - b.createdOn.getTime() ||
    (a.id < b.id ? -1 : 1)
  );
}
