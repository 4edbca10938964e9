import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Injectable,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { EmissionsModule, type Emission } from 'nestjs-emissions';
import { serve } from './support/app.js';
import { HeldOrders } from './support/held-orders.js';
import { silence } from './support/logs.js';
import { closeAsNest11 } from './support/nest-11.js';
import { rounds, until } from './support/until.js';

beforeEach(silence);

let life: string[] = [];
beforeEach(() => {
  life = [];
});

/** What an adapter writes with. */
@Injectable()
class Connection implements OnApplicationShutdown {
  async write(names: string[]): Promise<void> {
    await rounds(20);
    life.push(...names);
  }
  onApplicationShutdown(): void {
    life.push('connection closed');
  }
}
@Module({ providers: [Connection], exports: [Connection] })
class ConnectionModule {}

@Injectable()
class Audit implements OnApplicationShutdown {
  constructor(private readonly connection: Connection) {}

  deliver(batch: readonly Emission[]): Promise<void> {
    return this.connection.write(batch.map(({ name }) => name));
  }
  onApplicationShutdown(): void {
    life.push('adapter closed');
  }
}
@Module({ imports: [ConnectionModule], providers: [Audit], exports: [Audit] })
class AuditModule {}

@Module({
  imports: [EmissionsModule.forFeature({ imports: [ConnectionModule], adapters: [Audit] })],
})
class Feature {}

const WAYS: [string, () => ModuleMetadata['imports']][] = [
  [
    'with useClass',
    () => [EmissionsModule.forRoot({ imports: [ConnectionModule], adapters: [Audit] })],
  ],
  [
    'with useFactory',
    () => [
      EmissionsModule.forRoot({
        imports: [ConnectionModule],
        adapters: [
          { useFactory: (connection: Connection) => new Audit(connection), inject: [Connection] },
        ],
      }),
    ],
  ],
  [
    'with useExisting',
    () => [
      AuditModule,
      EmissionsModule.forRoot({ imports: [AuditModule], adapters: [{ useExisting: Audit }] }),
    ],
  ],
  ['with forFeature', () => [Feature, EmissionsModule.forRoot({})]],
];

describe.each(['Nest 12', 'Nest 11'])('When an application closes (as %s does)', (version) => {
  it.each(WAYS)(
    'an adapter registered %s is closed after what the last requests emitted was delivered, and before what it injects',
    async (_, imports) => {
      const running = await serve({
        imports: [ConnectionModule, ...imports()!],
        controllers: [HeldOrders],
      });
      if (version === 'Nest 11') closeAsNest11(running.app);
      const response = running.request('POST', '/orders', {}, { connection: 'close' });
      const orders = running.app.get(HeldOrders);
      await until(() => orders.arrived);
      const closing = running.close();
      await rounds(50);
      orders.answer();

      expect((await response).status).toBe(201);
      await closing;
      expect(life).toEqual(['order.created', 'adapter closed', 'connection closed']);
    },
  );
});
