import { PatternError } from './emission.errors.js';

const MAX_LENGTH = 1_024;
// oxlint-disable-next-line no-control-regex -- these are what it refuses
const FORBIDDEN = /[\s\u0000-\u001f\u007f]/;

/**
 * Compiles a glob over dot-separated names; `undefined` when the text has no wildcard and stands for itself.
 *
 * Matching is done by hand and takes at most (length of the glob × length of the name) steps: a regular expression made of
 * many stars would not.
 *
 * @throws PatternError for an empty text, an empty segment, white space or control characters, or `**` within a segment
 */
export function compileGlob(text: string): ((name: string) => boolean) | undefined {
  if (text === '' || text.length > MAX_LENGTH) {
    throw new PatternError(text, `it takes 1 to ${MAX_LENGTH} characters`);
  }
  if (FORBIDDEN.test(text)) {
    throw new PatternError(text, 'names and globs hold no white space and no control characters');
  }
  if (!text.includes('*')) return undefined;
  const segments = text.split('.');
  for (const segment of segments) {
    if (segment === '') throw new PatternError(text, 'it has an empty segment between its dots');
    if (segment !== '**' && segment.includes('**')) {
      throw new PatternError(text, '"**" stands for whole segments: put dots around it');
    }
  }
  return (name) => matchSequence(segments, name.split('.'), '**', matchSegment);
}

function matchSegment(glob: string, segment: string): boolean {
  if (glob === '*') return segment !== '';
  return glob.includes('*') ? matchSequence(glob, segment, '*', Object.is) : glob === segment;
}

/** The classic two-pointer match: on a mismatch, the last wildcard takes one more. Works on segments and on characters. */
function matchSequence(
  glob: ArrayLike<string>,
  parts: ArrayLike<string>,
  wildcard: string,
  same: (glob: string, part: string) => boolean,
): boolean {
  let g = 0;
  let p = 0;
  let star = -1;
  let taken = 0;
  while (p < parts.length) {
    if (g < glob.length && glob[g] === wildcard) {
      star = g++;
      taken = p;
    } else if (g < glob.length && same(glob[g]!, parts[p]!)) {
      g++;
      p++;
    } else if (star >= 0) {
      g = star + 1;
      p = ++taken;
    } else {
      return false;
    }
  }
  while (g < glob.length && glob[g] === wildcard) g++;
  return g === glob.length;
}
