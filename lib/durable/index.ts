export { DurableDeliveries } from './deliveries.service.js';
export type { DeadDeliveries, HandlerStats } from './deliveries.service.js';
export type { Delivery, DeliveryState, KeptError } from './delivery.js';
export {
  DeliveriesNotStoredError,
  DeliveryDataError,
  DeliveryLostError,
  NonRetryableError,
  UnknownHandlerError,
} from './durable.errors.js';
export { EmissionsDurableModule } from './durable.module.js';
export type { DurableBackend, DurableOptions, EmbeddedDatabase } from './durable.options.js';
