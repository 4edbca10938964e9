/**
 * Locks the public API: one report per entry point of package.json's `exports`, in test/api,
 * written by api-extractor from the declarations in dist.
 *
 * `npm run api` fails when a report is not what the build says and shows the difference;
 * `npm run api:update` rewrites the reports, for a change that is meant.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { packageJson, root } from './run.mjs';

const update = process.argv.includes('--update');
const folder = join(root, 'test', 'api');
mkdirSync(folder, { recursive: true });

/** [name of the report, its declaration file] of every entry point. */
const entries = Object.entries(packageJson().exports)
  .filter(([, target]) => typeof target === 'object')
  .map(([key, { types }]) => [
    `${key === '.' ? 'index' : key.slice(2).replaceAll('/', '-')}.api.md`,
    join(root, types),
  ]);

const complaints = [];
for (const [report, declarations] of entries) {
  if (!existsSync(declarations)) {
    console.error(`${relative(root, declarations)} does not exist. Build first: npm run build`);
    process.exit(1);
  }
  const before = existsSync(join(folder, report));
  const { apiReportChanged, errorCount } = extract(report, declarations);
  if (errorCount > 0) complaints.push(`${report}: api-extractor failed, see above`);
  else if (!before && !update) complaints.push(`test/api/${report} is missing`);
  else if (apiReportChanged && !update)
    complaints.push(`test/api/${report} differs from the build`);
  else if (apiReportChanged || !before) console.log(`test/api/${report} written`);
}

const known = new Set(entries.map(([report]) => report));
for (const report of readdirSync(folder).filter((name) => name.endsWith('.api.md'))) {
  if (known.has(report)) continue;
  if (update) rmSync(join(folder, report));
  else complaints.push(`test/api/${report} belongs to no entry point`);
}

if (complaints.length > 0) {
  console.error(`${complaints.join('\n')}\nIf this change is meant: npm run api:update`);
  process.exitCode = 1;
}

function extract(report, declarations) {
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: declarations,
      compiler: { tsconfigFilePath: join(root, 'lib', 'tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFolder: folder,
        reportTempFolder: join(root, 'node_modules', '.cache', 'api'),
        reportFileName: report,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      // The report is the lock. Declarations that TypeScript cannot read fail; opinions on tags,
      // comments and on types that another entry point exports are left out.
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: { default: { logLevel: 'none' } },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  });
  return Extractor.invoke(config, {
    localBuild: update,
    printApiReportDiff: !update,
    messageCallback: (message) => {
      // Chatter about versions and files; what counts is in `complaints`.
      if (message.category === 'console' && message.messageId !== 'console-api-report-diff') {
        message.handled = true;
      }
    },
  });
}
