import { PassThrough, Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openLog, type LogOptions } from "../../../runner/run/log.ts";
import { Redactor } from "../../../runner/run/redact.ts";

const SECRET = 'hunter2"\\hunter2';
const redactor = new Redactor();
redactor.add(SECRET);

class Output extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Output as a terminal of so many columns would take it; the control sequences come out as a real one gets them. */
class Terminal extends Output {
  readonly isTTY = true;
  readonly columns = 40;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

const open = (output: Output, level: LogOptions["level"] = "info") =>
  openLog({ level, base: { stack: "prod", job: "app" }, redactor, output: output });

describe("where nobody watches", () => {
  it("each line is JSON with the level, the time, the job and the facts", async () => {
    const output = new Output();
    const log = await open(output);
    expect(log.terminal).toBe(false);
    log.write("info", "dump: done", { bytes: 12 });
    log.write("error", "two\nlines", { code: "AUTH" });
    const lines = output.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { level: "info", msg: "dump: done", bytes: 12, stack: "prod", job: "app" },
      { level: "error", msg: "two\nlines", code: "AUTH" },
    ]);
    for (const { time } of lines) expect(Date.parse(time as string)).toBeGreaterThan(Date.now() - 60_000);
  });

  it("lines below the level are left out", async () => {
    const output = new Output();
    const log = await open(output, "warn");
    log.write("debug", "a", {});
    log.write("info", "b", {});
    log.write("warn", "c", {});
    expect(output.text.trimEnd().split("\n")).toHaveLength(1);
  });

  it("no field holds a secret, and the line stays JSON", async () => {
    const output = new Output();
    const log = await open(output);
    log.write("warn", `failed for ${SECRET}`, { url: `postgres://u:${encodeURIComponent(SECRET)}@h`, [SECRET]: true });
    expect(output.text).not.toContain("hunter2");
    expect(JSON.parse(output.text)).toMatchObject({
      msg: "failed for [redacted]",
      url: "postgres://u:[redacted]@h",
      "[redacted]": true,
    });
  });

  it("there is no status line", async () => {
    const output = new Output();
    (await open(output)).status("dump: 12 MB");
    expect(output.text).toBe("");
  });

  it("a stream that is no terminal will do", async () => {
    const output = new PassThrough({ encoding: "utf8" });
    (await openLog({ level: "info", base: {}, redactor, output })).write("info", "hello", {});
    expect(output.read()).toContain('"msg":"hello"');
  });
});

describe("on a terminal", () => {
  it("lines are for people", async () => {
    const output = new Terminal();
    const log = await open(output);
    expect(log.terminal).toBe(true);
    log.write("info", `dump: done ${SECRET}`, { bytes: 12 });
    const text = stripVTControlCharacters(output.text);
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: dump: done \[redacted\]\n/);
    expect(text).toContain("bytes: 12");
    expect(text).not.toContain("hunter2");
  });

  it.each([
    ["coloured", "", true],
    ["without colour where NO_COLOR asks for that", "1", false],
  ])("lines are %s", async (_, noColor, coloured) => {
    vi.stubEnv("NO_COLOR", noColor);
    const output = new Terminal();
    (await open(output)).write("warn", "hello", { bytes: 12 });
    expect(output.text).toContain("hello");
    expect(output.text.includes("\u001b[")).toBe(coloured);
  });

  it("the status line makes way for a log line and comes back after it", async () => {
    const output = new Terminal();
    const log = await open(output);
    log.status("dump: 12 MB");
    log.write("info", "hello", {});
    log.status(undefined);
    const wipe = "\u001b[2K\u001b[1G";
    expect(output.text.split(wipe).map((part) => stripVTControlCharacters(part))).toEqual([
      "dump: 12 MB",
      expect.stringMatching(/hello[\s\S]*\ndump: 12 MB$/),
      "",
    ]);
  });

  it("the status line fits, and holds no secret", async () => {
    const output = new Terminal();
    (await open(output)).status(`${SECRET} ${"x".repeat(100)}`);
    expect(output.text).toBe(`[redacted] ${"x".repeat(28)}`);
  });
});
