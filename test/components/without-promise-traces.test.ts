import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { withoutPromiseTraces } from "../../components/without-promise-traces.ts";
import { mockEngine, registered } from "../helpers/mocks.ts";

type Format = (error: Error, frames: NodeJS.CallSite[]) => unknown;
const errors = Error as { prepareStackTrace?: Format | undefined };
const before = errors.prepareStackTrace;

/** How many stack traces are formatted while something runs, by the function in which each begins. */
function tracesOf(run: () => void): (string | null | undefined)[] {
  const found: (string | null | undefined)[] = [];
  errors.prepareStackTrace = (error, frames) => {
    found.push(frames[0]?.getFunctionName());
    return `${String(error)}: formatted`;
  };
  run();
  return found;
}

class Child extends pulumi.CustomResource {}

const declare = () => new Child("test:index:Child", "child", { size: 1, color: "red" });

beforeEach(async () => {
  await mockEngine();
});
afterEach(() => {
  errors.prepareStackTrace = before;
  vi.unstubAllEnvs();
});

describe("withoutPromiseTraces", () => {
  it("saves the traces of all promises of a resource, which Pulumi formats otherwise", async () => {
    const resources: pulumi.Resource[] = [];
    const usual = tracesOf(() => resources.push(declare()));
    expect(usual.length).toBeGreaterThan(8);
    // The one that stays tells the engine where in the program a resource is declared.
    expect(usual.filter((name) => name !== "debuggablePromise")).toEqual(["callsites"]);
    expect(tracesOf(() => withoutPromiseTraces(() => resources.push(declare())))).toEqual(["callsites"]);
    await registered(...resources);
  });

  it("saves none where a person looks for promises that never end", async () => {
    vi.stubEnv("PULUMI_DEBUG_PROMISE_LEAKS", "1");
    const resources: pulumi.Resource[] = [];
    expect(tracesOf(() => withoutPromiseTraces(() => resources.push(declare()))).length).toBeGreaterThan(8);
    await registered(...resources);
  });

  it("leaves every error its trace: as the program formats it, or as Node.js does", () => {
    const traceOf = () => withoutPromiseTraces(() => new TypeError("in declare").stack ?? "");
    expect(traceOf()).toMatch(/^TypeError: in declare\n {4}at .*without-promise-traces\.test/);
    errors.prepareStackTrace = (error) => `${String(error)}: formatted`;
    expect(traceOf()).toBe("TypeError: in declare: formatted");
  });

  it("leaves an error that it throws its trace, and everything after it as it was", () => {
    const format: Format = (error) => String(error);
    errors.prepareStackTrace = format;
    const failing = () =>
      withoutPromiseTraces(function fails(): never {
        throw new RangeError("no resource");
      });
    expect(failing).toThrow("no resource");
    expect(errors.prepareStackTrace).toBe(format);
    errors.prepareStackTrace = before;
    try {
      failing();
    } catch (error) {
      expect((error as Error).stack).toMatch(/^RangeError: no resource\n {4}at fails /);
    }
    expect(errors.prepareStackTrace).toBe(before);
  });
});
