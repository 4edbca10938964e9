/** What an adapter can do; the contract has cases for what is declared, and none for what is not. */
export interface AdapterFeatures {
  /**
   * Emissions arrive in the order they were committed.
   * @default true
   */
  order?: boolean;
  /**
   * They have arrived when `deliver` resolves. `false` for an adapter that sends without waiting for an answer.
   * @default true
   */
  acknowledges?: boolean;
  /**
   * It can be served with `concurrency` greater than 1.
   * @default true
   */
  concurrency?: boolean;
  /**
   * Several can work in one process without knowing of one another.
   * @default true
   */
  instances?: boolean;
  /**
   * Deliveries can fail, and the test can make them: `create` gives `refuse`.
   * @default false
   */
  failures?: boolean;
  /**
   * It tells with a `PartialDeliveryError` which of a batch were refused.
   * @default false
   */
  partialFailures?: boolean;
  /** It filters: a name it takes, and one it does not. */
  filter?: { readonly takes: string; readonly refuses: string };
  /** Makes a payload that can be emitted, but that it cannot encode: `() => ({ total: 1n })` for JSON. */
  unencodable?: () => unknown;
}
