import { pipeline } from "node:stream/promises";
import { expect, it } from "vitest";
import { HandOver } from "../../../runner/stream/hand-over.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { Received } from "../../helpers/through.ts";

it("passes the bytes on unchanged and in order", async () => {
  const received = new Received();
  await pipeline([streamOf(bytesOf(100_001), 10_000), new HandOver(), received]);
  expect(received.bytes).toEqual(bytesOf(100_001));
});

it("takes a piece before the stages behind it work on that piece", async () => {
  const steps: string[] = [];
  const handOver = new HandOver();
  handOver.on("data", () => steps.push("worked on"));
  handOver.write(Buffer.from("piece"), () => steps.push("done"));
  steps.push("taken");
  await new Promise((resolve) => handOver.end(resolve));
  expect(steps.slice(0, 2)).toEqual(["taken", "worked on"]);
});
