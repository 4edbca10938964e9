import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { adapterContract, serveAdapter, type Arrival } from 'nestjs-emissions/testing';
import { temporaryFolder } from '../support/folders.js';
import { OtherEnd, serveOtherEnd } from '../support/other-end.js';
import { JsonLinesAdapter, MemoryAdapter, PostingAdapter } from '../support/reference-adapters.js';

describe('an adapter to memory', () => {
  adapterContract({
    test: it,
    expect,
    features: {
      failures: true,
      partialFailures: true,
      filter: { takes: 'public.thing', refuses: 'secret.thing' },
    },
    create: async (consumer) => {
      const end = new OtherEnd();
      return {
        app: await serveAdapter({ useFactory: () => new MemoryAdapter(end) }, consumer),
        received: () => end.arrivals,
        refuse: (which, times) => end.refuse(which, times),
      };
    },
  });
});

describe('an adapter to a file', () => {
  adapterContract({
    test: it,
    expect,
    features: { unencodable: () => ({ total: 1n }) },
    create: async (consumer) => {
      const folder = temporaryFolder();
      const path = join(folder.path, 'emissions.jsonl');
      return {
        app: await serveAdapter({ useClass: JsonLinesAdapter, options: { path } }, consumer),
        received: () =>
          readFileSync(path, 'utf8')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as Arrival),
        close: () => folder[Symbol.dispose](),
      };
    },
  });
});

describe('an adapter to a web server', () => {
  adapterContract({
    test: it,
    expect,
    features: { failures: true, partialFailures: true, unencodable: () => [new Map(), 1n] },
    create: async (consumer) => {
      const end = new OtherEnd();
      const { url, close } = await serveOtherEnd(end);
      return {
        app: await serveAdapter({ useFactory: () => new PostingAdapter(url) }, consumer),
        received: () => end.arrivals,
        refuse: (which, times) => end.refuse(which, times),
        close,
      };
    },
  });
});
