// Prints what was measured: machine, versions, medians, spread, and each target with the ratio that was reached.
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

export function describeMachine() {
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const version = (name) => {
    for (const base of [join(root, 'bench', 'node_modules'), join(root, 'node_modules')]) {
      try {
        return read(join(base, name, 'package.json')).version;
      } catch {}
    }
    return 'not installed';
  };
  const peers = Object.keys(read(join(root, 'bench', 'package.json')).dependencies);
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    versions: Object.fromEntries(
      ['nestjs-emissions', '@nestjs/core', '@nestjs/platform-express', '@nestjs/platform-fastify', ...peers].map((name) => [
        name,
        name === 'nestjs-emissions' ? read(join(root, 'package.json')).version : version(name),
      ]),
    ),
  };
}

export function printReport(name, question, figures, machine) {
  console.log(`\n## ${name}: ${question.title}`);
  console.log(`${machine.cpu}, ${machine.memoryGb} GB, Node ${machine.node}, ${machine.date}`);
  console.log(Object.entries(machine.versions).map((entry) => entry.join(' ')).join(' · '));
  console.log(`Medians of ${Object.values(figures)[0]?.length ?? 0} rounds, each contender in a fresh process; ${question.unit}.\n`);
  const medians = {};
  for (const [key, values] of Object.entries(figures)) {
    medians[key] = median(values);
    const { label = '' } = question.contenders[key];
    const spread = `${format(Math.min(...values))} – ${format(Math.max(...values))}`;
    console.log(`  ${key.padEnd(38)} ${format(medians[key]).padStart(10)}   (${spread})${label === '' ? '' : `   ${label}`}`);
  }
  const targets = (question.targets ?? [])
    .map((target) => judge(target, figures))
    .filter((target) => target !== undefined);
  if (targets.length > 0) console.log('');
  for (const { id, says, reached, limit, held, floor, bounded, above } of targets) {
    const least =
      (floor === undefined ? '' : `; floor ${floor.toFixed(2)}`) +
      (bounded === undefined ? '' : `, with bounds ${bounded.toFixed(2)}, ${above.toFixed(2)} times that`);
    console.log(`  ${held ? 'held  ' : 'MISSED'} ${id.padEnd(8)} ${says}: ${reached.toFixed(2)} (${limit}${least})`);
  }
  return { name, title: question.title, unit: question.unit, machine, medians, figures, targets };
}

/**
 * The ratio is taken round by round, where the machine was the same, and its median is judged. Beside it, for what cannot be had for
 * nothing, the ratio that the floor reaches in the same rounds.
 */
function judge({ id, says, of, to, difference = false, floor, atMost, atLeast }, figures) {
  const ratio = (of, to) => {
    const measured = figures[of];
    const against = to === undefined ? measured?.map(() => 1) : figures[to];
    if (measured === undefined || against === undefined) return undefined;
    return median(measured.map((value, i) => (difference ? value - against[i] : value / against[i])));
  };
  const reached = ratio(of, to);
  if (reached === undefined) return undefined;
  const held = atMost === undefined ? reached >= atLeast : reached <= atMost;
  const limit = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  const bounded = floor?.bounded && ratio(floor.bounded, to);
  const above = floor?.bounded && ratio(of, floor.bounded);
  return { id, says, reached, limit, held, floor: floor && ratio(floor.of, floor.to ?? to), bounded, above };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function format(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}
