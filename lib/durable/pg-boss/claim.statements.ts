/** The statements that hand out deliveries where pg-boss has none, or one that looks through all there is. */
export interface ClaimStatements {
  /** Of a queue with keys: `[name, after which key, how many]`. */
  readonly claimKeys: string;
  /** Of one without: `[name, '', how many, how many of a tenant at once]`. */
  readonly claimShares: string;
  /** Of one with keys: the same. */
  readonly claimKeysOfShares: string;
}

/** {@link ClaimStatements} on one table. @param schema as statements take it */
export function claimStatementsOf(schema: string, table: string): ClaimStatements {
  const job = `${schema}.${table}`;
  const queued = `j.name = $1 AND j.state < 'active' AND NOT j.blocked AND j.policy = 'key_strict_fifo'`;
  const waiting = `j.name = $1 AND j.state < 'active' AND NOT j.blocked`;
  const keysBehind = `keys AS (
        (SELECT j.singleton_key AS key FROM ${job} j WHERE ${queued} AND j.singleton_key > $2::text ORDER BY j.singleton_key LIMIT 1)
        UNION ALL
        SELECT (SELECT j.singleton_key FROM ${job} j WHERE ${queued} AND j.singleton_key > k.key ORDER BY j.singleton_key LIMIT 1)
        FROM keys k WHERE k.key IS NOT NULL)`;
  const headOfKey = `keys k CROSS JOIN LATERAL (
          SELECT j.id, j.group_id, j.created_on FROM ${job} j
          WHERE ${queued} AND j.singleton_key = k.key AND j.start_after <= (SELECT clock_timestamp())
          ORDER BY j.state DESC, j.created_on, j.id LIMIT 1) h
        WHERE k.key IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM ${job} b WHERE b.name = $1 AND b.singleton_key = k.key AND b.state IN ('active', 'retry', 'failed')
            AND b.policy = 'key_strict_fifo' AND b.id <> h.id)`;
  const atWork = (tenant: string): string =>
    `(SELECT count(*) FROM ${job} a WHERE a.name = $1 AND a.group_id = ${tenant} AND a.state = 'active')`;
  const claimHeads = `next AS MATERIALIZED (
        SELECT j.id FROM ${job} j WHERE j.name = $1 AND j.id = ANY(ARRAY(SELECT id FROM heads)) AND j.state < 'active'
        FOR UPDATE OF j SKIP LOCKED)
      UPDATE ${job} j SET state = 'active', started_on = ${schema}.job_now(), heartbeat_on = ${schema}.job_now(),
        retry_count = CASE WHEN j.started_on IS NOT NULL THEN j.retry_count + 1 ELSE j.retry_count END
      WHERE j.name = $1 AND j.id = ANY(ARRAY(SELECT id FROM next))
      RETURNING j.id, j.data, j.retry_count AS "retryCount", j.retry_limit AS "retryLimit", j.created_on AS "createdOn",
        j.priority, j.singleton_key AS "singletonKey"`;
  return {
    // From key to key along an index, as far as needed: what is queued behind the first of a key costs nothing. The clock is read
    // after the snapshot was taken: by `now()`, which is older, the first of a key might not be due yet and the second be.
    claimKeys: `
      WITH RECURSIVE ${keysBehind},
      heads AS (
        SELECT h.id FROM ${headOfKey}
        LIMIT $3::int),
      ${claimHeads}`,

    // The same, for every key, and of those the oldest of each tenant.
    claimKeysOfShares: `
      WITH RECURSIVE ${keysBehind},
      firsts AS MATERIALIZED (SELECT h.* FROM ${headOfKey}),
      heads AS (
        SELECT r.id FROM (
          SELECT f.*, row_number() OVER (PARTITION BY f.group_id ORDER BY f.created_on, f.id) AS turn,
            $4::int - CASE WHEN f.group_id IS NULL THEN 0 ELSE ${atWork('f.group_id')} END AS room FROM firsts f) r
        WHERE r.group_id IS NULL OR r.turn <= r.room
        ORDER BY r.created_on, r.id LIMIT $3::int),
      ${claimHeads}`,

    // From tenant to tenant along an index: what one has queued beyond its share hides nothing of the others.
    claimShares: `
      WITH RECURSIVE tenants AS (
        (SELECT j.group_id AS tenant FROM ${job} j WHERE ${waiting} AND j.group_id > $2::text ORDER BY j.group_id LIMIT 1)
        UNION ALL
        SELECT (SELECT j.group_id FROM ${job} j WHERE ${waiting} AND j.group_id > t.tenant ORDER BY j.group_id LIMIT 1)
        FROM tenants t WHERE t.tenant IS NOT NULL),
      shares AS (
        SELECT h.* FROM tenants t CROSS JOIN LATERAL (
          SELECT j.id, j.priority, j.created_on FROM ${job} j
          WHERE ${waiting} AND j.group_id = t.tenant AND j.start_after <= (SELECT clock_timestamp())
          ORDER BY j.priority DESC, j.created_on LIMIT greatest($4::int - ${atWork('t.tenant')}, 0)) h
        WHERE t.tenant IS NOT NULL
        UNION ALL (
          SELECT j.id, j.priority, j.created_on FROM ${job} j
          WHERE ${waiting} AND j.group_id IS NULL AND j.start_after <= (SELECT clock_timestamp())
          ORDER BY j.priority DESC, j.created_on LIMIT $3::int)),
      heads AS (SELECT s.id FROM shares s ORDER BY s.priority DESC, s.created_on, s.id LIMIT $3::int),
      ${claimHeads}`,
  };
}
