import { inspect } from 'node:util';

/** Shows a value in an error message: short, on one line, and never throwing, whatever the value is. */
export function quote(value: unknown): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : value.name;
  try {
    const text = inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 80 });
    return text.length > 120 ? `${text.slice(0, 117)}...` : text;
  } catch {
    return `a ${typeof value} that cannot be shown`;
  }
}
