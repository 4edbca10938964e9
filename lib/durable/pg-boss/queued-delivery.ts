import type { DeliveryState, KeptError, QueuedDelivery } from '../delivery/delivery.js';

/** What pg-boss calls the places where a delivery stands. */
const STATES: Record<DeliveryState, readonly string[]> = {
  waiting: ['created', 'retry'],
  running: ['active'],
  completed: ['completed'],
  dead: ['failed'],
  discarded: ['cancelled'],
};

/** A row, as people look at it. */
export function queuedDeliveryOf(row: Record<string, unknown>): QueuedDelivery {
  const { id, queue, state, emission, retry_count, retry_limit, started_on, output } = row;
  const states = Object.entries(STATES) as [DeliveryState, readonly string[]][];
  const { errors } = (output ?? {}) as { errors?: readonly KeptError[] };
  return {
    id: id as string,
    queue: queue as string,
    state: states.find(([, names]) => names.includes(state as string))![0],
    emission: emission as string,
    tenant: (row['tenant'] as string | null) ?? undefined,
    key: (row['key'] as string | null) ?? undefined,
    attempts: started_on === null ? 0 : Number(retry_count) + 1,
    maxAttempts: Number(retry_limit) + 1,
    storedAt: row['created_on'] as Date,
    dueAt: row['start_after'] as Date,
    endedAt: (row['completed_on'] as Date | null) ?? undefined,
    errors: Array.isArray(errors) ? errors : [],
  };
}
