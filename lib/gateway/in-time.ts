/** Settles as the work does, or rejects with the error when that takes too long; the timer never outlives the work. */
export async function inTime<T>(
  work: () => Promise<T>,
  timeoutMs: number,
  error: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(error()), timeoutMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
