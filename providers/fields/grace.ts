/**
 * Milliseconds for which a request that commits an object may go on after its transfer has ended. Ending it at once would leave open
 * whether there is an object. Shorter than the time that the transfer's watchdog gives for tidying up.
 */
export const GRACE_MS = 2_000;

/**
 * Runs work whose signal is aborted some time after another one.
 *
 * @param ms that time in milliseconds; default {@link GRACE_MS}
 */
export async function withGrace<T>(
  signal: AbortSignal | undefined,
  work: (late: AbortSignal) => Promise<T>,
  ms = GRACE_MS,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(() => {
      controller.abort(signal?.reason);
    }, ms);
  };
  if (signal?.aborted === true) begin();
  else signal?.addEventListener("abort", begin, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", begin);
  }
}
