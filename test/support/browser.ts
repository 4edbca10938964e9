import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from '@jest/globals';
import { chromium, type Browser } from 'playwright-core';

const folders = (process.env['PATH'] ?? '').split(delimiter);
const executablePath =
  process.env['CHROMIUM_PATH'] ||
  ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file));

const when = executablePath === undefined ? describe.skip : describe;

/** Describes what needs a browser. Where there is none, it is skipped, and its name says what to do about that. */
export function describeInBrowser(name: string, tests: () => void): void {
  const remark = ' (no Chromium was found; name one in CHROMIUM_PATH)';
  when(executablePath === undefined ? name + remark : name, tests);
}

/** Starts a headless Chromium that talks to nobody but the page's own server. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: executablePath!,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  });
}
