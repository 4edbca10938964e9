import { describe, expect, it } from '@jest/globals';
import { overDefaults } from '../../lib/emission/over-defaults.js';

const defaults = Object.freeze({
  batchSize: 10,
  timeoutMs: 5,
  retry: Object.freeze({ attempts: 3, jitter: 0 }),
});

describe('Settings over defaults', () => {
  it('go before them, those of retry one by one', () => {
    expect(overDefaults(defaults, { batchSize: 20, retry: { attempts: 7 } })).toEqual({
      batchSize: 20,
      timeoutMs: 5,
      retry: { attempts: 7, jitter: 0 },
    });
  });

  it('that are undefined leave the defaults, also those of retry', () => {
    const unset = { batchSize: undefined, retry: { attempts: undefined } };
    expect(overDefaults(defaults, unset as never)).toEqual(defaults);
    expect(overDefaults(defaults, { retry: undefined } as never)).toEqual(defaults);
    expect(overDefaults(defaults, {})).toEqual(defaults);
  });

  it('stand alone without defaults', () => {
    expect(overDefaults({}, { batchSize: 1 })).toEqual({ batchSize: 1, retry: {} });
  });
});
