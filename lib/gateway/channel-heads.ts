const REMEMBERED_TENANTS = 10_000;

/** Remembers the offset of each tenant's newest emission, for those tenants that were active last. */
export class ChannelHeads {
  readonly #heads = new Map<string, string>();

  advance(tenant: string, offset: string): void {
    this.#heads.delete(tenant);
    this.#heads.set(tenant, offset);
    if (this.#heads.size <= REMEMBERED_TENANTS) return;
    const [idle] = this.#heads.keys();
    this.#heads.delete(idle!);
  }

  /** `null` when there was none, or none for long. */
  of(tenant: string): string | null {
    return this.#heads.get(tenant) ?? null;
  }
}
