import type { Socket } from 'socket.io';
import { defineTopics, EmissionsModule, type EmissionsOptions } from 'nestjs-emissions';
import {
  EmissionsGatewayModule,
  type GatewayAddress,
  type GatewayIdentity,
  type GatewayOptions,
} from 'nestjs-emissions/gateway';
import { serve, type RunningApp } from './app.js';

/** Takes the client's word for its tenant, as only a test may. */
export function authenticate(socket: Socket): GatewayIdentity {
  const { tenant, subject } = socket.handshake.auth as { tenant?: string; subject?: string };
  if (tenant === undefined) throw new Error('no token');
  return { tenant, ...(subject !== undefined && { subject }) };
}

/** An application of tenants (metadata `orgId`) with two topics. */
export const TENANTS: EmissionsOptions = {
  tenancy: { key: 'orgId' },
  topics: defineTopics({ orders: ['order.created', 'order.shipped'], order: ['unrelated'] }),
};

/** Serves it with a gateway. */
export function serveGateway(
  gateway: Partial<GatewayOptions> & GatewayAddress = { authenticate },
): Promise<RunningApp> {
  return serve({
    imports: [EmissionsModule.forRoot(TENANTS), EmissionsGatewayModule.forRoot(gateway)],
  });
}
