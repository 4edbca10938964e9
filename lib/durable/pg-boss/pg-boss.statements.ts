import { claimStatementsOf, type ClaimStatements } from './claim.statements.js';
import type { Dialect } from './dialect.js';
import { identifierOf } from './identifier.js';

/** The statements for what pg-boss has no call for, or not one that does all of it at once. */
export interface Statements extends ClaimStatements {
  readonly accept: string;
  readonly fail: string;
  readonly release: string;
  readonly rescue: string;
  readonly adopt: string;
  readonly skip: string;
  readonly orphan: string;
  readonly due: string;
  readonly find: string;
  readonly findDead: string;
  readonly retry: string;
  readonly discard: string;
  readonly counts: string;
  readonly blockedKeys: string;
  readonly indexes: readonly Index[];
  /** For queues that limit what a tenant has at work. */
  readonly tenantIndex: Index;
}

/** An index on the deliveries, and the statement that makes it. */
export interface Index {
  readonly name: string;
  readonly make: string;
}

/** Longer than anybody waits: what is not completed is never deleted. */
const FOREVER = `interval '100 years'`;
const KEPT_ERRORS = 20;
/** How many are found to be due in one statement. */
export const MOST_DUE = 10_000;
/** What waits longer than this for another attempt is put aside. */
const ASIDE_FROM_MS = 2_000;

/** The channel that tells what has been stored; one for each schema. */
export function channelOf(schema: string): string {
  return `emissions_${schema}`;
}

/** The errors kept so far and one more; a pg-boss that sweeps leaves something else behind. */
const errorsWith = (error: string): string => `jsonb_build_object('errors',
  CASE WHEN jsonb_typeof(j.output->'errors') = 'array'
    THEN CASE WHEN jsonb_array_length(j.output->'errors') >= ${KEPT_ERRORS} THEN (j.output->'errors') - 0 ELSE j.output->'errors' END
    ELSE '[]'::jsonb END || ${error})`;

/** What people are shown of a delivery. */
const SHOWN = `j.id, j.name AS queue, j.state::text, j.data->'emission'->>'name' AS emission, j.group_id AS tenant, j.singleton_key AS key,
        j.retry_count, j.retry_limit, j.started_on, j.created_on, j.start_after, j.completed_on, j.output`;
const WAITS = `count(*), count(*) FILTER (WHERE j.start_after > now()) AS delayed, min(j.created_on) FILTER (WHERE j.start_after <= now()) AS oldest_at`;

/** The statements on the tables of one schema. */
export function statementsOf(
  schema: string,
  { table, notifies, skipsLocked }: Dialect,
): Statements {
  const own = identifierOf(schema);
  const job = `${own}.${table}`;
  const index = (name: string, on: string): Index => ({
    name: `nestjs_emissions_${name}`,
    make: `CREATE INDEX IF NOT EXISTS nestjs_emissions_${name} ON ${job} ${on}`,
  });
  const notify = (queues: string): string =>
    notifies
      ? `SELECT pg_notify('${channelOf(schema)}', d.name) FROM (SELECT DISTINCT name FROM ${queues}) d`
      : `SELECT DISTINCT name FROM ${queues}`;
  const lock = skipsLocked ? 'FOR UPDATE SKIP LOCKED' : '';
  const ids = `($2::uuid[] IS NULL OR j.id = ANY($2::uuid[])) AND ($3::text IS NULL OR j.group_id = $3::text)`;
  return {
    ...claimStatementsOf(own, table),
    // The time is read when the statement runs, after the transaction got the locks it waited for: `now()` is when it began,
    // and would put what is committed later before what is committed earlier.
    accept: `
      WITH e AS MATERIALIZED (SELECT * FROM json_to_recordset($1::text::json)
             AS r(ord int, id uuid, data jsonb, key text, tenant text, delay float8)),
           o AS MATERIALIZED (SELECT * FROM json_to_recordset($2::text::json) AS r(ord int, queue text, priority int)),
           m AS MATERIALIZED (
             SELECT DISTINCT o.queue FROM o LEFT JOIN ${own}.queue q ON q.name = o.queue WHERE q.name IS NULL),
           i AS (
             INSERT INTO ${job} (id, name, data, priority, singleton_key, group_id, policy, retry_limit, retry_delay, retry_backoff,
               expire_seconds, deletion_seconds, keep_until, heartbeat_seconds, start_after, blocked, created_on)
             SELECT e.id, q.name, e.data, -o.priority, e.key, e.tenant, q.policy, q.retry_limit, 0, false,
               2147483647, q.deletion_seconds, now() + ${FOREVER}, $3::int,
               CASE WHEN e.delay > 0 THEN clock_timestamp() + e.delay * interval '1 millisecond' ELSE now() END, e.delay > 0,
               (SELECT clock_timestamp()) + e.ord * interval '1 microsecond'
             FROM o JOIN e ON e.ord = o.ord JOIN ${own}.queue q ON q.name = o.queue
             WHERE NOT EXISTS (SELECT 1 FROM m)
             ON CONFLICT DO NOTHING RETURNING name, start_after),
           n AS (${notify('i WHERE start_after <= now()')})
      SELECT (SELECT count(*) FROM i)::int AS stored, (SELECT count(*) FROM n)::int AS notified,
        (SELECT array_agg(m.queue) FROM m) AS missing`,

    fail: `
      WITH f AS (SELECT * FROM json_to_recordset($2::text::json) AS r(id uuid, attempt int, delay float8, error jsonb))
      UPDATE ${job} j SET
        state = CASE WHEN f.delay IS NULL THEN 'failed' ELSE 'retry' END::${own}.job_state,
        start_after = CASE WHEN f.delay IS NULL THEN j.start_after ELSE clock_timestamp() + f.delay * interval '1 millisecond' END,
        completed_on = CASE WHEN f.delay IS NULL THEN clock_timestamp() END,
        deletion_seconds = CASE WHEN f.delay IS NULL THEN 0 ELSE j.deletion_seconds END,
        policy = CASE WHEN f.delay IS NULL AND $3::boolean THEN NULL ELSE j.policy END,
        blocked = coalesce(f.delay >= ${ASIDE_FROM_MS}, false),
        heartbeat_on = NULL,
        output = ${errorsWith('f.error')}
      FROM f
      WHERE j.name = $1 AND j.id = f.id AND j.retry_count = f.attempt - 1 AND j.state = 'active'
      RETURNING j.id`,

    // What is to wait is one to be tried again, even if it was never begun: that holds back those of its key behind it.
    release: `
      WITH f AS (SELECT * FROM json_to_recordset($2::text::json) AS r(id uuid, attempt int))
      UPDATE ${job} j SET
        state = CASE WHEN j.retry_count = 0 AND $3::float8 = 0 THEN 'created' ELSE 'retry' END::${own}.job_state,
        started_on = CASE WHEN j.retry_count = 0 THEN NULL ELSE j.started_on END,
        retry_count = greatest(j.retry_count - 1, 0),
        start_after = CASE WHEN $3::float8 = 0 THEN j.start_after ELSE clock_timestamp() + $3::float8 * interval '1 millisecond' END,
        heartbeat_on = NULL
      FROM f
      WHERE j.name = $1 AND j.id = f.id AND j.retry_count = f.attempt - 1 AND j.state = 'active'
      RETURNING j.id`,

    rescue: `
      WITH r AS (
        UPDATE ${job} j SET
          state = CASE WHEN j.retry_count < j.retry_limit THEN 'retry' ELSE 'failed' END::${own}.job_state,
          start_after = CASE WHEN j.retry_count < j.retry_limit THEN now() ELSE j.start_after END,
          completed_on = CASE WHEN j.retry_count < j.retry_limit THEN NULL ELSE now() END,
          deletion_seconds = CASE WHEN j.retry_count < j.retry_limit THEN j.deletion_seconds ELSE 0 END,
          policy = CASE WHEN j.retry_count >= j.retry_limit AND j.name = ANY($2::text[]) THEN NULL ELSE j.policy END,
          heartbeat_on = NULL,
          output = ${errorsWith(`jsonb_build_object('attempt', j.retry_count + 1, 'at', to_jsonb(now()), 'name', 'WorkerGoneError',
            'message', 'The worker of this attempt stopped answering.')`)}
        WHERE j.name = ANY($1::text[]) AND j.state = 'active'
          AND j.heartbeat_on + j.heartbeat_seconds * interval '1s' < now()
        RETURNING j.name, j.id, j.retry_count + 1 AS attempt, j.state = 'failed' AS dead),
      n AS (${notify('r')})
      SELECT r.*, (SELECT count(*) FROM n) AS notified FROM r`,

    // What pg-boss, or somebody through it, has failed for good would be deleted in time, and would block its key.
    adopt: `
      UPDATE ${job} j SET deletion_seconds = 0, policy = CASE WHEN j.name = ANY($2::text[]) THEN NULL ELSE j.policy END
      WHERE j.name = ANY($1::text[]) AND j.state = 'failed' AND j.deletion_seconds > 0`,

    // A handler that skips what is dead skips also what was dead before it was told to.
    skip: `
      UPDATE ${job} j SET policy = NULL WHERE j.name = ANY($1::text[]) AND j.state = 'failed' AND j.policy = 'key_strict_fifo'`,

    // Nobody is left who could be at work on it.
    orphan: `UPDATE ${job} j SET heartbeat_on = now() - j.heartbeat_seconds * interval '1s' WHERE j.state = 'active'`,

    // What is not due is put aside as blocked, out of the indexes that claims go through: however much there is of it, it costs them
    // nothing. Here it is put back. The order is that of an index: without one, the database looks for the first of those due
    // through everything that is kept.
    due: `
      WITH a AS (
        UPDATE ${job} j SET blocked = false
        WHERE j.blocked AND (j.name, j.id) IN (
          SELECT b.name, b.id FROM ${job} b
          WHERE b.blocked AND b.pending_dependencies = 0 AND b.name = ANY($1::text[]) AND b.start_after <= now()
          LIMIT ${MOST_DUE} ${lock})
        RETURNING j.name)
      SELECT q.name, (SELECT count(*) FROM a)::int AS moved FROM unnest($1::text[]) AS q(name)
      WHERE EXISTS (SELECT 1 FROM a WHERE a.name = q.name)
        OR (SELECT j.id FROM ${job} j WHERE j.name = q.name AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
          ORDER BY j.priority DESC, j.created_on LIMIT 1) IS NOT NULL`,

    find: `
      SELECT ${SHOWN} FROM ${job} j
      WHERE j.name = ANY($1::text[]) AND j.id = ANY($2::uuid[])
      ORDER BY j.created_on DESC, j.id DESC`,

    findDead: `
      SELECT ${SHOWN} FROM ${job} j
      WHERE j.name = ANY($1::text[]) AND ${ids} AND j.state = 'failed'
      ORDER BY j.created_on DESC, j.id DESC LIMIT $4::int`,

    // As a new one in its old place: `retry` would stand in the way of one of its key that is at work.
    retry: `
      WITH r AS (
        UPDATE ${job} j SET state = 'created', policy = q.policy, completed_on = NULL, start_after = least(j.start_after, now()),
          retry_limit = j.retry_count + 1 + q.retry_limit, deletion_seconds = q.deletion_seconds
        FROM ${own}.queue q
        WHERE q.name = j.name AND j.name = ANY($1::text[]) AND ${ids} AND j.state = 'failed'
        RETURNING j.name, j.id),
      n AS (${notify('r')})
      SELECT r.name AS queue, r.id, (SELECT count(*) FROM n) AS notified FROM r`,

    discard: `
      WITH r AS (
        UPDATE ${job} j SET state = 'cancelled', completed_on = now(), deletion_seconds = q.deletion_seconds
        FROM ${own}.queue q
        WHERE q.name = j.name AND j.name = ANY($1::text[]) AND ${ids} AND j.state = 'failed'
        RETURNING j.name, j.id),
      n AS (${notify('r')})
      SELECT r.name AS queue, r.id, (SELECT count(*) FROM n) AS notified FROM r`,

    // Each count goes through an index of its own: what is completed, and kept, costs nothing.
    counts: `
      SELECT q.name AS queue, (w.count + b.count)::int AS waiting, (w.delayed + b.delayed)::int AS delayed, r.count::int AS running,
        d.count::int AS dead, d.blocked_keys::int AS blocked_keys, least(w.oldest_at, b.oldest_at) AS oldest_at
      FROM unnest($1::text[]) AS q(name)
      CROSS JOIN LATERAL (SELECT ${WAITS} FROM ${job} j WHERE j.name = q.name AND j.state < 'active' AND NOT j.blocked) w
      CROSS JOIN LATERAL (SELECT ${WAITS} FROM ${job} j WHERE j.name = q.name AND j.state < 'active' AND j.blocked) b
      CROSS JOIN LATERAL (SELECT count(*) FROM ${job} j WHERE j.name = q.name AND j.state = 'active') r
      CROSS JOIN LATERAL (
        SELECT count(*), count(DISTINCT j.singleton_key) FILTER (WHERE j.policy = 'key_strict_fifo') AS blocked_keys
        FROM ${job} j WHERE j.name = q.name AND j.state = 'failed') d`,

    blockedKeys: `
      SELECT DISTINCT j.singleton_key AS key FROM ${job} j
      WHERE j.name = ANY($1::text[]) AND j.state = 'failed' AND j.policy = 'key_strict_fifo' ORDER BY 1`,

    tenantIndex: index(
      'tenants',
      `(name, group_id, priority DESC, created_on) WHERE state < 'active' AND NOT blocked`,
    ),

    // What is at work, dead, or has become due, is looked for every second among all that is kept.
    indexes: [
      index('running', `(name) WHERE state = 'active'`),
      index('dead', `(name, deletion_seconds) WHERE state = 'failed'`),
      index('aside', `(name, start_after) WHERE blocked`),
    ],
  };
}
