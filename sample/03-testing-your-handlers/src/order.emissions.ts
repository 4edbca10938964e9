/** What can happen in this shop. `emit`, `@OnEmission` and the expectations of the specs know these names and payloads. */
declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'order.placed': Order;
    'confirmation.sent': { orderId: string; to: string };
    'points.earned': { orderId: string; points: number };
  }
}

export interface Order {
  readonly id: string;
  readonly email: string;
  /** In euros. */
  readonly total: number;
}
