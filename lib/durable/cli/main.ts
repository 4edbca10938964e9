#!/usr/bin/env node
import { run } from './program.js';

// Whoever reads the output may have read enough.
process.stdout.on('error', () => process.exit());
process.exitCode = await run(process.argv.slice(2), process.env, {
  out: (text) => void process.stdout.write(`${text}\n`),
  error: (text) => void process.stderr.write(`${text}\n`),
});
