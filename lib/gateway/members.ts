import { LONGEST_TIMER_MS } from '../emission/longest-timer.js';
import type { Follower } from './follower.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { quote } from '../emission/quote.js';
import type { GatewayIdentity } from './gateway.options.js';

/** Whom something concerns: everybody of a tenant, or one subject of it. */
export interface MemberFilter {
  readonly tenant: string;
  /** Without it, everybody of the tenant. */
  readonly subject?: string;
}

/** Everybody who is connected to this process, found by who they are. */
export class Members<I extends GatewayIdentity> {
  readonly #all = new Map<Follower<I>, NodeJS.Timeout | undefined>();

  get size(): number {
    return this.#all.size;
  }

  add(member: Follower<I>): void {
    this.#all.set(member, undefined);
    this.#watch(member);
  }

  delete(member: Follower<I>): void {
    clearTimeout(this.#all.get(member));
    this.#all.delete(member);
  }

  matching(filter: MemberFilter): Follower<I>[] {
    return [...this.#all.keys()].filter(({ identity }) => isMeant(filter, identity));
  }

  /** Those who are who an identity says: of its tenant, and with its subject or, as it, without one. */
  same({ tenant, subject }: GatewayIdentity): Follower<I>[] {
    return [...this.#all.keys()].filter(
      ({ identity }) => identity.tenant === tenant && identity.subject === subject,
    );
  }

  /** Ends those connections that would keep the application from closing. */
  stop(): void {
    for (const member of [...this.#all.keys()]) member.stop?.();
  }

  /** Gives a member a new identity, of the same tenant; what was decided for the old one is to be decided again. */
  renew(member: Follower<I>, identity: I): void {
    if (!this.#all.has(member)) return;
    member.identity = Object.freeze({ ...identity });
    member.rights++;
    this.#watch(member);
  }

  /** Ends the connection when its identity expires. */
  #watch(member: Follower<I>): void {
    clearTimeout(this.#all.get(member));
    const { expiresAt } = member.identity;
    if (expiresAt === undefined) return;
    const left = expiresAt - Date.now();
    const timer = setTimeout(
      () => {
        if (left > LONGEST_TIMER_MS) return this.#watch(member);
        member.dismiss({
          code: 'EMISSIONS_IDENTITY_EXPIRED',
          message: 'What this connection was authenticated with has expired; authenticate anew.',
        });
      },
      Math.min(Math.max(left, 0), LONGEST_TIMER_MS),
    );
    timer.unref();
    this.#all.set(member, timer);
  }
}

/** Whether a filter means somebody with this identity. */
export function isMeant({ tenant, subject }: MemberFilter, identity: GatewayIdentity): boolean {
  return identity.tenant === tenant && (subject === undefined || identity.subject === subject);
}

/** @throws ConfigurationError for what would concern everybody, or nobody */
export function checkFilter(filter: MemberFilter, asked: string): MemberFilter {
  const { tenant, subject } = (filter ?? {}) as Partial<MemberFilter>;
  if (typeof tenant === 'string' && (subject === undefined || typeof subject === 'string')) {
    return { tenant, ...(subject !== undefined && { subject }) };
  }
  throw new ConfigurationError(
    `${asked} takes { tenant: '…', subject?: '…' }, but got ${quote(filter)}.`,
  );
}
