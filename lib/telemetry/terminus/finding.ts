/** How badly something does. */
export type Severity = 'degraded' | 'down';

/** What was measured, from when on that is degraded, from when on it is down, and how one says it. A threshold of 0 is none. */
export type Measure = readonly [
  measured: number,
  degraded: number,
  down: number,
  reason: (measured: number) => string,
];

/** What is beyond a threshold; nothing when all is well. */
export interface Finding {
  readonly status: Severity;
  /** For people: what is beyond which threshold. */
  readonly reason: string;
}

/** Compares what was measured with the thresholds. */
export function examine(measures: readonly Measure[]): Finding | undefined {
  const beyond = measures.flatMap(([measured, degraded, down, reason]): Finding[] => {
    if (reaches(measured, down)) return [{ status: 'down', reason: reason(measured) }];
    return reaches(measured, degraded) ? [{ status: 'degraded', reason: reason(measured) }] : [];
  });
  if (beyond.length === 0) return undefined;
  const status = beyond.some((each) => each.status === 'down') ? 'down' : 'degraded';
  return { status, reason: beyond.map(({ reason }) => reason).join(', ') };
}

function reaches(measured: number, threshold: number): boolean {
  return threshold > 0 && measured >= threshold;
}
