import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { StallWatchdog } from "../../../providers/transfer/watchdog.ts";

describe("StallWatchdog", () => {
  let watchdog: StallWatchdog;
  afterEach(() => {
    watchdog.stop();
  });

  it("ends a transfer in which nothing moves", async () => {
    watchdog = new StallWatchdog("upload of a/b", 0.05);
    watchdog.check();
    await sleep(100);
    expect(watchdog.signal.reason).toMatchObject({
      code: "TRANSIENT",
      message: "The upload of a/b stalled: no byte has moved for 0.05 s.",
    });
    expect(() => {
      watchdog.check();
    }).toThrow("stalled");
  });

  it("leaves alone one that is slow", async () => {
    watchdog = new StallWatchdog("upload", 1);
    for (let count = 0; count < 12; count += 1) {
      await sleep(100);
      watchdog.moved();
    }
    expect(watchdog.signal.aborted).toBe(false);
  });

  it("does not count the time in which it is somebody else's turn", async () => {
    watchdog = new StallWatchdog("download", 0.05);
    watchdog.pause();
    await sleep(150);
    expect(watchdog.signal.aborted).toBe(false);
    watchdog.resume();
    await sleep(150);
    expect(watchdog.signal.aborted).toBe(true);
  });

  it("ends with its caller, and keeps the caller's ProviderError", () => {
    const controller = new AbortController();
    const reason = new ProviderError("ABORTED", "SIGTERM");
    watchdog = new StallWatchdog("upload", 10, controller.signal);
    controller.abort(reason);
    expect(watchdog.signal.reason).toBe(reason);
    watchdog = new StallWatchdog("upload", 10, AbortSignal.abort());
    expect(watchdog.signal.reason).toMatchObject({ code: "ABORTED" });
  });

  it("ends nothing once it is stopped", async () => {
    const controller = new AbortController();
    watchdog = new StallWatchdog("upload", 0.02, controller.signal);
    watchdog.stop();
    watchdog.stop();
    controller.abort();
    await sleep(60);
    expect(watchdog.signal.aborted).toBe(false);
  });

  it("gives what the work gives, also when it ends in time by itself after an abort", async () => {
    watchdog = new StallWatchdog("upload", 10, AbortSignal.abort());
    expect(await watchdog.settle(Promise.resolve(5))).toBe(5);
    const tidied = sleep(20).then(() => Promise.reject(new Error("tidied up")));
    await expect(watchdog.settle(tidied)).rejects.toThrow("tidied up");
  });

  it("leaves work behind that hangs", async () => {
    watchdog = new StallWatchdog("upload", 0.05);
    const begun = performance.now();
    await expect(watchdog.settle(new Promise(() => undefined))).rejects.toMatchObject({ code: "TRANSIENT" });
    expect(performance.now() - begun).toBeGreaterThan(4_900);
  });
});
