export type OrderStatus = 'created' | 'reserved' | 'confirmed' | 'shipped';

/** One order of one tenant. */
export interface Order {
  readonly id: string;
  readonly article: string;
  readonly quantity: number;
  readonly customer: string;
  /** In euros. */
  readonly total: number;
  readonly status: OrderStatus;
}
