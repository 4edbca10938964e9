/**
 * Imports a file of a sample, by its path within `sample/` and without an extension. The compiler does not follow it: every
 * sample declares an emission catalog of its own, and a catalog holds for the whole of a program. Each sample is checked as
 * a program by itself.
 */
export function loadSample<T>(path: string): Promise<T> {
  return import(`../../sample/${path}.js`) as Promise<T>;
}
