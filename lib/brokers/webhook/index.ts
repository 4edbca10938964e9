export { BrokerConnectionError, BrokerRefusedError, RecordError } from '../broker.errors.js';
export { cloudEventOf } from '../record-format.js';
export type { ReceivedRecord, RecordContent, RecordFormat } from '../record-format.js';
export { WebhookAdapter } from './webhook.adapter.js';
export type { WebhookEndpoint, WebhookOptions, WebhookOutcome } from './webhook.options.js';
