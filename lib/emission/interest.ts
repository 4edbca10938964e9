import type { EmissionAdapter } from './adapter.js';
import type { Emission } from './emission.js';
import { isThenable } from './is-thenable.js';

/**
 * Asks a destination whether it wants an emission; one that does not filter wants all.
 *
 * @throws what it throws, and a TypeError for an answer that is still to come: a promise would pass for a yes
 */
export function isInterested(adapter: EmissionAdapter, emission: Emission): boolean {
  if (adapter.interested === undefined) return true;
  const answer: unknown = adapter.interested(emission);
  if (!isThenable(answer)) return Boolean(answer);
  Promise.resolve(answer).catch(() => {});
  throw new TypeError('interested(emission) returned a promise; it must answer at once.');
}
