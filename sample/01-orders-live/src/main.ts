import { createApp } from './create-app.js';

const host = '127.0.0.1';
const port = Number(process.env['PORT'] ?? 3000);

// Nest's own start-up lines would bury what stands below; from then on, the audit's lines are worth reading.
const app = await createApp({ logger: ['warn', 'error'] });
app.enableShutdownHooks();
try {
  await app.listen(port, host);
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  console.error(`\nPort ${port} is in use. Choose another one: PORT=${port + 1} npm start\n`);
  await app.close();
  process.exit(1);
}
app.useLogger(['log', 'warn', 'error']);

const url = await app.getUrl();
console.log(`
Orders live: ${url}

  1  Open it in a browser: two shops side by side, and each hears only itself.
  2  Place an order there, or from another terminal, and watch it arrive:

     curl ${url}/orders -H 'Authorization: Bearer demo-harbour' \\
       -H 'Content-Type: application/json' \\
       -d '{"article":"Hand grinder","quantity":1,"customer":"Ada"}'

  3  Place one that fails (POST /orders/broken): it emits, then answers 500, and nothing arrives.
  4  See how it is wired: ${url}/describe

Ctrl-C stops it.
`);
