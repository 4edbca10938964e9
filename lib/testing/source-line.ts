import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Deep enough to get past this library and the frameworks above it. */
const FRAMES = 60;
const SHOWN = 3;

/**
 * Where something was done: the lines of the application, or of the test, that led to the call of `below`; without those of
 * this library, of packages and of Node. Worked out when somebody asks, from the stack as the environment writes it: with
 * source maps under jest, vitest and `node --enable-source-maps`.
 */
export class SourceLine {
  readonly #held: { stack?: string } = {};

  constructor(below: Function) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = FRAMES;
    Error.captureStackTrace(this.#held, below);
    Error.stackTraceLimit = limit;
  }

  /** The innermost lines, as `src/orders.service.ts:12:5 (OrdersService.place)`; none when the stack shows none. */
  get lines(): string[] {
    return framesOf(this.#held.stack)
      .filter(({ file }) => isForeign(file))
      .slice(0, SHOWN)
      .map(
        ({ file, position, call }) => `${shown(file)}${position}${call === '' ? '' : ` (${call})`}`,
      );
  }
}

interface Frame {
  /** An absolute path, with slashes. */
  readonly file: string;
  /** `:line:column`. */
  readonly position: string;
  /** The function, as far as it has a name. */
  readonly call: string;
}

const FRAME = /^\s*at (?:async )?(?:(.*?) \()?((?:file:\/\/)?[^\s()]*?[/\\].*?)(:\d+:\d+)\)?$/;

function framesOf(stack = ''): Frame[] {
  return stack.split('\n').flatMap((line) => {
    const [, call = '', file, position] = FRAME.exec(line) ?? [];
    if (file === undefined) return [];
    // Source maps may name a call by what it calls: `Orders.emit [as place]`.
    const named = call.replace(/^(.*\.)?\S+ \[as (\S+)\]$/, '$1$2');
    return [{ file: pathOf(file), position: position!, call: named }];
  });
}

function pathOf(file: string): string {
  const path = file.startsWith('file://') ? fileURLToPath(file) : file;
  return path.replaceAll('\\', '/');
}

function isForeign(file: string): boolean {
  if (file.startsWith('node:') || file.includes('/node_modules/')) return false;
  return !file.startsWith(ownFolder());
}

/** Where this library lies, asked of the stack: that works in every module system, and through source maps too. */
function ownFolder(): string {
  const [here] = framesOf(new Error('here').stack);
  return here === undefined ? '/node_modules/' : here.file.replace(/[^/]+\/[^/]+$/, '');
}

function shown(file: string): string {
  const path = relative(process.cwd(), file);
  return path === '' || path.startsWith('..') || isAbsolute(path) ? file : path;
}
