import type { Emission } from '../emission/emission.js';
import type { Consumer } from './consumer.js';

/** Emissions of a commit that follow one another and go to the same consumers. */
export interface Share {
  readonly emissions: readonly Emission[];
  readonly takers: readonly Consumer[];
  /** How many of these they arrive at, once they are accepted; the others queue them at once. */
  arriving: number;
}

/** Divides a commit, in order; mostly it is one share. */
export function sharesOf(
  emissions: readonly Emission[],
  takersOf: (emission: Emission) => readonly Consumer[],
): readonly Share[] {
  if (emissions.length === 0) return [];
  let shares: Share[] | undefined;
  let takers = takersOf(emissions[0]!);
  let from = 0;
  for (let i = 1; i < emissions.length; i++) {
    const others = takersOf(emissions[i]!);
    if (others === takers) continue;
    (shares ??= []).push({ emissions: partOf(emissions, from, i), takers, arriving: 0 });
    takers = others;
    from = i;
  }
  if (shares === undefined) return [{ emissions, takers, arriving: 0 }];
  shares.push({ emissions: partOf(emissions, from, emissions.length), takers, arriving: 0 });
  return shares;
}

/** Those from one to another. Mostly it is one, which takes a fifth of the time without `slice`. */
export function partOf(
  emissions: readonly Emission[],
  from: number,
  to: number,
): readonly Emission[] {
  return to - from === 1 ? [emissions[from]!] : emissions.slice(from, to);
}

/** Whether all of it fits into the queues of all who get some of it, and nobody has to be shed or to leave for it. */
export function haveRoom(shares: readonly Share[], count: number): boolean {
  return shares.every(({ takers }) => takers.every((consumer) => consumer.canAccept(count)));
}
