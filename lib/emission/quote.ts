import { inspect, types } from 'node:util';

const MAX_LENGTH = 120;

/** Shows a value in an error message: short, on one line, and never throwing, whatever the value is. */
export function quote(value: unknown): string {
  try {
    const text = show(value).replace(/\s*\n\s*/g, ' ');
    return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 3)}...` : text;
  } catch {
    return `a value of type ${typeof value} that cannot be shown`;
  }
}

function show(value: unknown): string {
  if (typeof value === 'function') {
    const { name } = value as { name: unknown };
    return typeof name === 'string' && name !== '' ? name : 'a function';
  }
  // Without its stack, which says where it was made and not what is wrong with it here.
  if (types.isNativeError(value)) return `${value.name}: ${value.message}`;
  return inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 80 });
}
