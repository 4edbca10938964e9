/** How long each handler takes, so that there is a middle to kill it in. */
export const PACE_MS = Number(process.env['PACE_MS'] ?? 1_000);
