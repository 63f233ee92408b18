import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import type { TelemetryProvider } from "../../providers/monitor/monitor.ts";
import type { Behaviour, MisbehavingServer } from "../../tools/services/misbehaving-server.ts";
import { encodingsOf } from "../helpers/encodings-of.ts";

/** A value that the run knows as a secret, with characters that every encoding changes. */
export const MARKER = "m/rk+r?of=a&s€cret%20";

/** A monitor under test. */
export interface MonitorSubject {
  readonly monitor: TelemetryProvider;
  /** The service that it tells, if there is one. */
  readonly service: MisbehavingServer | undefined;
  /** All that it wrote to the log. */
  logged(): string;
}

/** Opens a monitor in a run whose log and redactor know {@link MARKER} as a secret. */
export type OpenMonitor = () => Promise<MonitorSubject>;

/** How much longer than allowed a call may take on a busy machine, in milliseconds. */
const SLACK_MS = 900;

/** The behaviour that every kind of monitor has; see the documentation of `TelemetryProvider`. */
export function describeMonitorContract(name: string, open: OpenMonitor): void {
  describe(`${name} keeps the monitor contract`, () => {
    let subject: MonitorSubject;
    let monitor: TelemetryProvider;
    beforeEach(async () => {
      subject = await open();
      ({ monitor } = subject);
    });
    afterEach(() => subject.service?.stop());

    const misbehave = async (behaviour: Behaviour | "down") => {
      if (behaviour === "down") await subject.service?.stop();
      else if (subject.service) subject.service.behaviour = behaviour;
    };

    /** A run with everything in it. */
    const wholeRun = async () => {
      monitor.checkIn("in_progress", { backup: "b1" });
      await monitor.measure("backup", { backup: "b1" }, async (span) => {
        span.progress(1);
        span.set({ bytes: 10, ok: true });
        await monitor.measure("dump", {}, () => Promise.resolve());
      });
      monitor.trackError(new ProviderError("AUTH", "refused", { fix: "Log in." }), { step: "store", backup: "b1" });
      monitor.checkIn("partial", { seconds: 1.5, bytes: 10, storedBytes: 5, newestVerifiedSeconds: 7 });
    };

    it("names its kind", () => {
      expect(monitor.kind).toBe(name);
    });

    it("gives what a step gives, and throws what it throws", async () => {
      await expect(monitor.measure("dump", {}, () => Promise.resolve(42))).resolves.toBe(42);
      const failure = new Error("of the step");
      const failing = monitor.measure("dump", {}, () => Promise.reject(failure));
      await expect(failing).rejects.toBe(failure);
    });

    it("measures steps inside of steps, and several at once", async () => {
      const inner = (value: number) => monitor.measure("store", { value }, () => sleep(5, value));
      const outer = monitor.measure("dump", {}, () => Promise.all([inner(1), inner(2)]));
      await expect(outer).resolves.toEqual([1, 2]);
    });

    it("takes anything without throwing", async () => {
      monitor.trackError(new Error(""), {});
      monitor.trackError(new ProviderError("INTERNAL", "x".repeat(2_000_000), { cause: "text" }), { step: "a\nb" });
      monitor.trackError(Object.freeze(new RangeError("frozen")), { destination: "ü".repeat(500) });
      monitor.checkIn("error", { bytes: Number.NaN, seconds: Infinity });
      await monitor.measure("ü", { odd: "\0" }, (span) => {
        span.set({});
        span.progress(-1);
        return Promise.resolve();
      });
      await expect(monitor.flush(2_000)).resolves.toBe(true);
    });

    it("flushes at once what there is not", async () => {
      const begun = performance.now();
      await expect(monitor.flush(2_000)).resolves.toBe(true);
      await expect(monitor.flush(2_000)).resolves.toBe(true);
      expect(performance.now() - begun).toBeLessThan(SLACK_MS);
    });

    it("flushes a run whole, and what the service takes is without fault", async () => {
      await wholeRun();
      await expect(monitor.flush(2_000)).resolves.toBe(true);
      if (subject.service) expect(subject.service.received.length).toBeGreaterThan(0);
    });

    it.each<Behaviour | "down">(["slow", "refuse", "fail", "hang", "cut", "down"])(
      "with a service that would %s holds up neither the run nor its end",
      async (behaviour) => {
        await misbehave(behaviour);
        const begun = performance.now();
        await wholeRun();
        expect(performance.now() - begun).toBeLessThan(SLACK_MS);
        const flushed = await monitor.flush(1_000);
        expect(performance.now() - begun).toBeLessThan(1_000 + 2 * SLACK_MS);
        expect(flushed).toBe(subject.service === undefined);
      },
    );

    it("says where its test message is", async () => {
      await expect(monitor.check()).resolves.toMatch(/\w/);
    });

    it.each<Behaviour | "down">(["refuse", "fail", "cut", "down"])(
      "says that a service that would %s did not take the test message",
      async (behaviour) => {
        await misbehave(behaviour);
        const checked = await monitor.check().catch((error: unknown) => error);
        if (subject.service === undefined) expect(checked).toBeTypeOf("string");
        else {
          expect(checked).toBeInstanceOf(ProviderError);
          expect((checked as ProviderError).fix).toMatch(/\w/);
        }
      },
    );

    it.each<Behaviour>(["answer", "fail", "cut"])(
      "lets no secret out where the service would %s",
      async (behaviour) => {
        await misbehave(behaviour);
        const encodings = encodingsOf(MARKER);
        for (const [index, { written: form }] of encodings.entries()) {
          const facts = { [form]: form, destination: form, artifact: `a ${form} b` };
          monitor.checkIn("in_progress", facts);
          const failing = monitor.measure(`dump ${form}`, facts, (span) => {
            span.set(facts);
            return Promise.reject(new Error(`with ${form}`));
          });
          await expect(failing).rejects.toThrow();
          monitor.trackError(
            new ProviderError("AUTH", `${index}: ${form}`, { fix: form, cause: new Error(form) }),
            facts,
          );
          monitor.trackError(new Error(form, { cause: form }), { step: form, provider: form });
          monitor.checkIn("error", facts);
          await monitor.flush(2_000);
        }
        const requests = subject.service?.received ?? [];
        const left = [
          subject.logged(),
          ...requests.map(({ path, query, headers, body }) =>
            [path, query.toString(), JSON.stringify(headers), body.toString()].join("\n"),
          ),
        ].join("\n");
        expect(left).toContain("[redacted]");
        expect(encodings.filter(({ trace }) => left.includes(trace))).toEqual([]);
      },
    );
  });
}
