import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { webhook } from "../../../providers/monitor/webhook.ts";
import { describeMonitorContract, MARKER } from "../../contract/monitor.ts";
import { monitorContext } from "../../helpers/monitor-context.ts";
import { WebhookReceiver } from "../../../tools/services/webhook-receiver.ts";

const config = webhook.schema.parse({ kind: "webhook", url: { env: "URL" } });

async function open(receiver: WebhookReceiver, url = receiver.url) {
  const context = await monitorContext({ url, marker: MARKER });
  return { monitor: await webhook.create(config, context), context };
}

describeMonitorContract("webhook", async () => {
  const service = new WebhookReceiver("key");
  await service.start();
  const { monitor, context } = await open(service);
  return { monitor, service, logged: () => JSON.stringify(context.lines()) };
});

describe("a heartbeat", () => {
  let receiver: WebhookReceiver;
  beforeEach(async () => {
    receiver = new WebhookReceiver("7a-key-of-a-check");
    await receiver.start();
  });
  afterEach(() => receiver.stop());

  it.each([
    ["ok", "success"],
    ["partial", "fail"],
    ["error", "fail"],
  ] as const)("of a run that ended as %s is a %s after a start", async (status, signal) => {
    const { monitor } = await open(receiver);
    monitor.checkIn("in_progress", { backup: "b1" });
    monitor.trackError(new ProviderError("QUOTA", "the disk is full"), {});
    monitor.checkIn(status, { backup: "b1", seconds: 2 });
    expect(await monitor.flush(2_000)).toBe(true);
    expect(receiver.refusals).toEqual([]);
    const body = `run: ${status}\nbackup: b1\nseconds: 2\nQUOTA: the disk is full`;
    expect(receiver.pings).toEqual([
      { signal: "start", body: "" },
      { signal, body },
    ]);
  });

  it("is short", async () => {
    const { monitor } = await open(receiver);
    monitor.trackError(new Error("x".repeat(100_000)), {});
    monitor.checkIn("error", {});
    await monitor.flush(2_000);
    expect(receiver.pings.map(({ body }) => body.length)).toEqual([2_000]);
  });

  it("is tried twice, no more", async () => {
    const { monitor } = await open(receiver);
    receiver.behaviour = "fail";
    monitor.checkIn("in_progress", {});
    while (receiver.received.length < 1) await sleep(1);
    receiver.behaviour = "answer";
    expect(await monitor.flush(2_000)).toBe(true);
    receiver.behaviour = "cut";
    monitor.checkIn("ok", {});
    expect(await monitor.flush(2_000)).toBe(false);
    expect(receiver.received.map(({ path }) => path.split("/").at(-1))).toEqual([
      "start",
      "start",
      "7a-key-of-a-check",
      "7a-key-of-a-check",
    ]);
    expect(receiver.pings).toMatchObject([{ signal: "start" }]);
  });

  it("of the end is in time although one of the begin hangs", async () => {
    const { monitor } = await open(receiver);
    receiver.behaviour = "hang";
    monitor.checkIn("in_progress", {});
    while (receiver.received.length < 1) await sleep(1);
    receiver.behaviour = "answer";
    monitor.checkIn("ok", {});
    expect(await monitor.flush(2_000)).toBe(true);
    expect(receiver.pings).toMatchObject([{ signal: "success" }]);
  });

  it("keeps the URL's query, and adds no slash at the end of its path", async () => {
    const { monitor } = await open(receiver, `${receiver.url}/?a=b`);
    monitor.checkIn("ok", {});
    await monitor.flush(2_000);
    expect(receiver.received.map(({ path, query }) => [path, query.toString()])).toContainEqual([
      "/7a-key-of-a-check",
      "a=b",
    ]);
  });

  it("that fails is reported without its URL", async () => {
    const { monitor, context } = await open(receiver, `${receiver.url}-wrong`);
    monitor.checkIn("ok", {});
    expect(await monitor.flush(2_000)).toBe(false);
    expect(context.lines()).toMatchObject([{ level: "warn", monitor: "webhook", reason: "it knows no such check" }]);
    await expect(monitor.check()).rejects.toThrow("it knows no such check");
    const message = await monitor.check().catch((error: unknown) => String(error));
    expect(JSON.stringify(context.lines()) + message).not.toContain("7a-key");
  });

  it.each(["", "nothing of the kind", "ftp://host/key", "https://user:password@host/key", "//host/key"])(
    "to %j is a mistake in the configuration",
    async (url) => {
      const refused = await open(receiver, url).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "CONFIG" });
      if (url) expect((refused as Error).message).not.toContain(url);
    },
  );

  it("is tested by a message that is neither a success nor a failure", async () => {
    const { monitor } = await open(receiver);
    expect(await monitor.check()).toContain(receiver.host);
    expect(receiver.pings).toMatchObject([{ signal: "log" }]);
  });
});
