import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission, toCloudEvent, type Emission } from 'nestjs-emissions';
import { Endpoints } from './endpoints.js';

/**
 * Makes of each event of a customer one delivery for each of his endpoints, with the endpoint as its key: an endpoint gets its
 * deliveries in order, and one that is dead keeps none waiting but its own.
 */
@Injectable()
export class FanOutHandler {
  constructor(
    private readonly emissions: Emissions,
    private readonly endpoints: Endpoints,
  ) {}

  @OnEmission('order.*', { durable: true })
  fanOut(_: unknown, event: Emission): void {
    for (const { id } of this.endpoints.of(event.tenant)) {
      this.emissions.emit('webhook.owed', toCloudEvent(event), { endpoint: id }, { key: id });
    }
  }
}
