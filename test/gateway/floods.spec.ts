import { describe, expect, it } from '@jest/globals';
import { EmissionsGateway } from 'nestjs-emissions/gateway';
import { authenticate, serveGateway } from '../support/gateway.js';
import { heapInUse } from '../support/heap.js';
import { listen } from '../support/signals.js';
import { connect, type Client } from '../support/sockets.js';

const hostile: readonly ((n: number) => unknown)[] = [
  (n) => ({ channel: `entity/made-up/${n}` }),
  (n) => ({ channel: `event/secret.n${n}` }),
  (n) => ({ channel: `event/n${n}`, after: `AAAAAAAAAAA:${n}` }),
  (n) => ({ channel: `topic/t${n % 7}`, after: '__proto__:1' }),
  (n) => ({ channel: `nothing/${n}` }),
  (n) => ({ channel: 'x'.repeat(n % 5_000), more: n }),
  () => null,
  () => JSON.parse('{"channel":"*","__proto__":{"tenant":"b"}}') as object,
  () => Buffer.alloc(100),
  () => [[['*']]],
];

describe('twenty thousand attempts to subscribe', () => {
  it('cost memory that is bounded: when they are over, nothing of them is left', async () => {
    await using app = await serveGateway({
      authenticate,
      authorize: async (_, channel) => !channel.includes('secret'),
    });
    const { server } = app.app.get(EmissionsGateway);
    using watching = await connect(app.url, { tenant: 'a' });
    await watching.ask('subscribe', { channel: '*' });
    let sent = 0;
    /** Asks until it is cut off, which is soon. */
    const attack = async (): Promise<void> => {
      const client: Client = await connect(app.url, { tenant: `tenant-${sent % 20}` });
      const gone = new Promise((resolve) => client.socket.once('disconnect', resolve));
      for (let i = 0; i < 600; i++, sent++)
        client.socket.emit('subscribe', hostile[sent % hostile.length]!(sent), () => {});
      await gone;
    };
    await attack();
    const before = heapInUse();
    // Denials are not kept: nobody listens meanwhile.
    while (sent < 20_000) await attack();
    expect(heapInUse() - before).toBeLessThan(10 * 2 ** 20);
    expect(server!.sockets.size).toBe(1);
    expect(
      [...server!.adapter.rooms.keys()].filter((room) => room.startsWith('emissions:')),
    ).toEqual(['emissions:1:a:*']);
    using log = listen('emissions:gateway:denied');
    await app.emissions.run(() => app.emissions.emit('x', 1, { orgId: 'a' }));
    expect(await watching.until(1)).toHaveLength(1);
    expect(log.all).toEqual([]);
  }, 60_000);
});
