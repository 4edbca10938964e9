/**
 * The contract under `node --test`, for an adapter in plain JavaScript: as an author outside this project would run it. Started by
 * adapter.contract.spec.ts, and by hand, after `npm run build`: `node --test test/contract/array.adapter.node-test.mjs`.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { adapterContract, serveAdapter } from 'nestjs-emissions/testing';

class ArrayAdapter {
  #array;

  constructor(array) {
    this.#array = array;
  }

  async deliver(batch) {
    if (process.env.ARRAY_ADAPTER === 'broken') batch = batch.toReversed();
    this.#array.push(...batch);
  }
}

await describe('an adapter to an array', () => {
  adapterContract({
    test,
    expect: (actual) => ({ toEqual: (expected) => assert.deepEqual(actual, expected) }),
    create: async (consumer) => {
      const array = [];
      return {
        app: await serveAdapter({ useFactory: () => new ArrayAdapter(array) }, consumer),
        received: () => array,
      };
    },
  });
});
