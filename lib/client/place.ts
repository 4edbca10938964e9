/** Tells whether something at `offset` is behind `after`. What cannot be compared is: another epoch, or no number at all. */
export function isBehind(offset: string, after: string | undefined): boolean {
  if (after === undefined) return true;
  const [epoch, number] = split(offset);
  const [knownEpoch, known] = split(after);
  return epoch !== knownEpoch || number === 0 || number > known;
}

/** Sorts by number what is of one epoch; what is not stays where it came. */
export function inOrder(a: { offset: string }, b: { offset: string }): number {
  const [epoch, number] = split(a.offset);
  const [otherEpoch, other] = split(b.offset);
  return epoch === otherEpoch ? number - other : 0;
}

function split(offset: string): [epoch: string, number: number] {
  const colon = offset.lastIndexOf(':');
  return [offset.slice(0, colon), Number(offset.slice(colon + 1))];
}
