/** Runs statements of PostgreSQL in the transaction, or on the connection, it was made of. */
export interface SqlExecutor {
  /** Runs one statement with `$1`, `$2` … in it. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: any[] }>;
}
