import { posix } from 'node:path';
import { importsOf, resolveWithin } from './imports.js';

/**
 * The floor plan of lib/, lowest floor first. An import goes down or stays in its own room.
 * `.` is the front door, lib/*.ts. Each folder in brokers/ is a room of its own; so is each in telemetry/, which holds the
 * signals that all send below, and above everything those who watch an application.
 */
export const floors: readonly (readonly string[])[] = [
  ['emission'],
  ['telemetry'],
  ['gateway', 'brokers', 'client'],
  ['pipeline', 'handlers'],
  ['buffer', 'durable'],
  ['.'],
  ['testing', 'telemetry/opentelemetry', 'telemetry/terminus'],
];

/** Every breach of the floor plan in these sources, each as one line: file, import, rule. */
export function breaches(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of sources) {
    if (floorOf(file) === -1) found.push(`${file}: no floor is given for ${roomOf(file)}/`);
    const targets = new Set<string>();
    for (const { kind, specifier } of importsOf(source)) {
      const target = resolveWithin(file, specifier);
      if (target !== undefined) targets.add(target);
      for (const rule of broken(file, kind, specifier, target)) {
        found.push(`${file} imports '${specifier}': ${rule}`);
      }
    }
    graph.set(file, [...targets]);
  }
  return [...found, ...circles(graph)];
}

function broken(file: string, kind: string, specifier: string, target?: string): string[] {
  if (target === undefined) {
    return /^nestjs-emissions(\/|$)/.test(specifier) ? ['never through an entry point'] : [];
  }
  const rules: string[] = [];
  if (target.startsWith('../')) return ['lib imports nothing outside of lib'];
  if (!specifier.endsWith('.js')) rules.push('a relative import ends in .js');
  if (posix.basename(target) === 'index.ts') rules.push('never through an index.ts');
  if (kind === 'export' && posix.basename(file) !== 'index.ts') {
    rules.push('only an index.ts re-exports');
  }
  const direction = floorOf(target) - floorOf(file);
  if (floorOf(target) === -1 || floorOf(file) === -1) return rules;
  if (direction > 0) rules.push(`never up (${roomOf(file)} is below ${roomOf(target)})`);
  if (direction === 0 && !mayEnter(roomOf(file), roomOf(target))) {
    rules.push(`never sideways (${roomOf(file)} and ${roomOf(target)} share a floor)`);
  }
  return rules;
}

/** On one floor: its own room, and for a broker what all brokers share. */
function mayEnter(from: string, to: string): boolean {
  return from === to || (to === 'brokers' && from.startsWith('brokers/'));
}

function roomOf(file: string): string {
  const [first, second, third] = file.split('/');
  if (second === undefined) return '.';
  const hasRooms = first === 'brokers' || first === 'telemetry';
  return hasRooms && third !== undefined ? `${first}/${second}` : first!;
}

function floorOf(file: string): number {
  const room = roomOf(file);
  const own = floors.findIndex((rooms) => rooms.includes(room));
  return own === -1 ? floors.findIndex((rooms) => rooms.includes(room.split('/')[0]!)) : own;
}

/** Every circle, once, however many files of it one starts from. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (path.includes(file)) {
      found.push(`${[...path.slice(path.indexOf(file)), file].join(' → ')}: no circles`);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}
