import type { CloudEvent } from 'nestjs-emissions';

export interface Order {
  readonly id: string;
  readonly total: number;
}

declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'order.created': Order;
    /** One endpoint is to be told of one event. */
    'webhook.owed': CloudEvent;
  }
}
