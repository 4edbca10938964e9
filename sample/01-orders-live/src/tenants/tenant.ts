/** A shop whose orders are nobody else's business. */
export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** What its order numbers begin with. */
  readonly prefix: string;
  /** What it sells, and for how many euros. */
  readonly articles: Readonly<Record<string, number>>;
}

const harbour: Tenant = {
  id: 'harbour-coffee',
  name: 'Harbour Coffee',
  prefix: 'HC',
  articles: { 'House blend, 1 kg': 24, 'Guji natural, 250 g': 14, 'Hand grinder': 85 },
};

const pine: Tenant = {
  id: 'pine-and-co',
  name: 'Pine & Co',
  prefix: 'PC',
  articles: { 'Side table': 120, 'Wall shelf': 45, 'Spoon rest': 9 },
};

/**
 * The two tokens there are. An application of yours verifies a session or a signed token here; these are fixed and public,
 * so that a `curl` line and the page work without a login.
 */
const tokens: ReadonlyMap<string, Tenant> = new Map([
  ['demo-harbour', harbour],
  ['demo-pine', pine],
]);

/** Tells whose token it is; `undefined` when it is nobody's. */
export function tenantOf(token: unknown): Tenant | undefined {
  return typeof token === 'string' ? tokens.get(token) : undefined;
}
