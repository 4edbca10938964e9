import { describe, expect, test } from '@jest/globals';
import { adapterContract, serveAdapter } from 'nestjs-emissions/testing';
import { CollectorAdapter } from './collector.adapter.js';
import { Collector } from './collector.js';

/** JSON has no words for it. */
class Unwritable {
  toJSON(): never {
    throw new Error('no words for this');
  }
}

describe('The contract', () => {
  adapterContract({
    test,
    expect,
    features: { failures: true, partialFailures: true, unencodable: () => new Unwritable() },
    create: async (consumer) => {
      const collector = new Collector();
      const url = await collector.start();
      const registration = { useClass: CollectorAdapter, options: { url } };
      return {
        app: await serveAdapter(registration, consumer),
        received: () => collector.taken.map(({ id, name, payload }) => ({ id, name, payload })),
        refuse: (which, times) => {
          const left = new Map<string, number>();
          collector.refuses = ({ id, name, payload }) => {
            const count = left.get(id) ?? times;
            left.set(id, count - 1);
            return which({ id, name, payload }) && count > 0;
          };
        },
        close: () => collector.stop(),
      };
    },
  });
});
