/** Milliseconds between two signs of life: short enough that nobody takes a build for a hang. */
const EVERY_MS = 10_000;

/**
 * Does work that takes a while, and says every ten seconds that it goes on and since when.
 *
 * @param what what is done, to be read after a time: `30 s: still building the Pulumi CLI`
 */
export async function withProgress<T>(
  what: string,
  say: (line: string) => void,
  work: () => Promise<T>,
  everyMs = EVERY_MS,
): Promise<T> {
  const begun = performance.now();
  const timer = setInterval(() => {
    say(`  ${((performance.now() - begun) / 1000).toFixed(0)} s: still ${what} …`);
  }, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
