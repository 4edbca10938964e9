import { describe, expect, it } from '@jest/globals';
import { EmissionsModule, type Emission } from 'nestjs-emissions';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { adapterContract } from 'nestjs-emissions/testing';
import { serve } from '../support/app.js';
import { authenticate } from '../support/gateway.js';
import { connect } from '../support/sockets.js';

/** A form of one's own, which fails for what JSON cannot write; `toWire` writes that too. */
function strictly({ id, name, payload }: Emission): unknown {
  JSON.stringify(payload);
  return { id, name, payload };
}

describe.each([
  ['as it is', {}, {}],
  ['with a form of its own', { serialize: strictly }, { unencodable: () => ({ total: 1n }) }],
] as const)('the gateway %s, with a client of socket.io', (_, options, features) => {
  adapterContract({
    test: it,
    expect,
    // A frame is on its way when it is sent; nobody waits for the client.
    features: { acknowledges: false, ...features },
    create: async (consumer) => {
      const { app, url } = await serve({
        imports: [
          EmissionsModule.forRoot(),
          EmissionsGatewayModule.forRoot({ authenticate, ...options, consumer }),
        ],
      });
      const client = await connect(url, { tenant: 'org-1' });
      await client.ask('subscribe', { channel: '*' });
      return {
        app,
        emitOptions: { tenant: 'org-1' },
        received: () => client.received,
        close: () => client[Symbol.dispose](),
      };
    },
  });
});
