import { describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import type { ErrorCode } from "../../providers/errors.ts";
import { withRetries } from "../../providers/retry.ts";

/** Work that fails so many times, then succeeds; it counts its tries. */
function failing(times: number, error: (attempt: number) => unknown) {
  const attempts: number[] = [];
  return {
    attempts,
    work: (attempt: number) => {
      attempts.push(attempt);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- errors of any kind are what is tested
      return attempt <= times ? Promise.reject(error(attempt)) : Promise.resolve("done");
    },
  };
}

const transient = () => new ProviderError("TRANSIENT", "the connection was cut");

describe("withRetries", () => {
  it.each(["TRANSIENT", "RATE_LIMITED"] as const)("tries again after %s", async (code) => {
    const { work, attempts } = failing(3, () => new ProviderError(code, "not now"));
    expect(await withRetries(work, { retrySeconds: 60 })).toBe("done");
    expect(attempts).toEqual([1, 2, 3, 4]);
  });

  const final: ErrorCode[] = ["CONFIG", "AUTH", "NOT_FOUND", "CONFLICT", "QUOTA", "INTEGRITY", "ABORTED", "INTERNAL"];
  it.each(final)("does not after %s", async (code) => {
    const error = new ProviderError(code, "no");
    const { work, attempts } = failing(1, () => error);
    await expect(withRetries(work, { retrySeconds: 60 })).rejects.toBe(error);
    expect(attempts).toEqual([1]);
  });

  it.each([new Error("a defect"), new TypeError("fetch failed"), new TypeError("x is undefined")])(
    "does not after an error that is no ProviderError: %s",
    async (error) => {
      const { work, attempts } = failing(1, () => error);
      await expect(withRetries(work, { retrySeconds: 60 })).rejects.toBe(error);
      expect(attempts).toEqual([1]);
    },
  );

  it("waits as long as the service asked, and not much longer", async () => {
    const { work } = failing(1, () => new ProviderError("RATE_LIMITED", "slow down", { retryAfterMs: 400 }));
    const begun = performance.now();
    await withRetries(work, { retrySeconds: 60 });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(399);
    expect(performance.now() - begun).toBeLessThan(1_500);
  });

  it("does not begin a wait that its budget does not hold", async () => {
    const error = new ProviderError("RATE_LIMITED", "slow down", { retryAfterMs: 5_000 });
    const { work, attempts } = failing(1, () => error);
    const begun = performance.now();
    await expect(withRetries(work, { retrySeconds: 2 })).rejects.toBe(error);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(attempts).toEqual([1]);
  });

  it("gives up with the last error when its budget is used up", async () => {
    const { work, attempts } = failing(1_000, (attempt) => new ProviderError("TRANSIENT", `try ${attempt}`));
    const begun = performance.now();
    await expect(withRetries(work, { retrySeconds: 1 })).rejects.toThrow(/^try \d+$/);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(attempts.length).toBeGreaterThan(1);
  });

  it("tries once where the budget is 0", async () => {
    const { work, attempts } = failing(1, transient);
    await expect(withRetries(work, { retrySeconds: 0 })).rejects.toThrow("the connection was cut");
    expect(attempts).toEqual([1]);
  });

  it("gives up after 10 tries", async () => {
    const { work, attempts } = failing(1_000, () => new ProviderError("RATE_LIMITED", "no", { retryAfterMs: 0 }));
    await expect(withRetries(work, { retrySeconds: 600 })).rejects.toThrow("no");
    expect(attempts).toHaveLength(10);
  });

  it("ends its waiting when the caller gives up, with the caller's reason", async () => {
    const reason = new ProviderError("ABORTED", "SIGTERM");
    const controller = new AbortController();
    const { work, attempts } = failing(1, () => new ProviderError("TRANSIENT", "no", { retryAfterMs: 30_000 }));
    const begun = performance.now();
    const outcome = withRetries(work, { retrySeconds: 60, signal: controller.signal });
    setTimeout(() => {
      controller.abort(reason);
    }, 50);
    await expect(outcome).rejects.toBe(reason);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(attempts).toEqual([1]);
  });

  it("does not begin for a caller who has given up", async () => {
    const { work, attempts } = failing(0, transient);
    const outcome = withRetries(work, { retrySeconds: 60, signal: AbortSignal.abort() });
    await expect(outcome).rejects.toMatchObject({ name: "ProviderError", code: "ABORTED" });
    expect(attempts).toEqual([]);
  });

  it("keeps what the work gave, though the caller gives up at that moment", async () => {
    // What has been committed must not be reported as a failure.
    const controller = new AbortController();
    const work = () => {
      controller.abort();
      return Promise.resolve("committed");
    };
    expect(await withRetries(work, { retrySeconds: 60, signal: controller.signal })).toBe("committed");
  });
});

describe("retried", () => {
  it("is called before each try but the first", async () => {
    let retries = 0;
    const retried = () => (retries += 1);
    for (const times of [2, 0, 1]) {
      await withRetries(failing(times, transient).work, { retrySeconds: 60, retried });
    }
    expect(retries).toBe(3);
  });

  it("is not called for a try that is not made", async () => {
    let retries = 0;
    const work = withRetries(failing(9, transient).work, { retrySeconds: 0, retried: () => (retries += 1) });
    await expect(work).rejects.toThrow("the connection was cut");
    expect(retries).toBe(0);
  });
});
