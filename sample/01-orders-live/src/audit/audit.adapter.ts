import { Injectable, Logger } from '@nestjs/common';
import type { Emission, EmissionAdapter } from 'nestjs-emissions';

const KEPT = 200;

/** One line of the audit: what happened, when, and what it followed from. */
export interface AuditEntry {
  readonly id: string;
  readonly name: string;
  readonly at: string;
  readonly correlationId: string;
  readonly causationId?: string;
}

/** Keeps each tenant's last 200 emissions. A destination takes no more than a class with `deliver`. */
@Injectable()
export class AuditAdapter implements EmissionAdapter {
  readonly name = 'audit';
  readonly #logger = new Logger('Audit');
  readonly #entries = new Map<string, AuditEntry[]>();

  deliver(batch: readonly Emission[]): void {
    for (const emission of batch) {
      const { tenant = '' } = emission;
      const entries = [...this.of(tenant), entryOf(emission)].slice(-KEPT);
      this.#entries.set(tenant, entries);
    }
    this.#logger.log(batch.map(({ tenant, name }) => `${tenant} ${name}`).join(', '));
  }

  /** A tenant's entries, oldest first. */
  of(tenantId: string): readonly AuditEntry[] {
    return this.#entries.get(tenantId) ?? [];
  }
}

function entryOf({ id, name, occurredAt, correlationId, causationId }: Emission): AuditEntry {
  const at = new Date(occurredAt).toISOString();
  return { id, name, at, correlationId, ...(causationId !== undefined && { causationId }) };
}
