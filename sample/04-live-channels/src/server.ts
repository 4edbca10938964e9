import { createApp } from './create-app.js';

// One of the two processes: main.ts starts it, and waits for its address.
const app = await createApp();
await app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
process.send?.(await app.getUrl());
process.once('disconnect', () => void app.close().then(() => process.exit()));
process.once('SIGINT', () => {});
