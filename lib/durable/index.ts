export {
  DeliveriesNotStoredError,
  DeliveryDataError,
  DeliveryLostError,
  NonRetryableError,
} from './durable.errors.js';
export { EmissionsDurableModule } from './durable.module.js';
export type { DurableBackend, DurableOptions, EmbeddedDatabase } from './durable.options.js';
