import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../tools/free-port.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { makeBackup } from "../helpers/reports.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import { WebhookReceiver } from "../../tools/services/webhook-receiver.ts";

// A run whose only destination fails, while the dump of more than all buffers hold waits behind it.

/** Longer than any of these runs takes on a busy machine; one that hangs takes for ever. */
const LIMIT_MS = 45_000;
const recipient = await identityToRecipient(await generateX25519Identity());

let postgres: Postgres;
let receiver: WebhookReceiver;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "bulk");
  // What hardly compresses, so that little of it fills the buffers.
  await sql(
    postgres,
    "bulk",
    `CREATE TABLE bulk AS SELECT md5(i::text) || md5((-i)::text) AS text FROM generate_series(1, 600000) AS i`,
  );
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  receiver = new WebhookReceiver("the-key-of-the-check");
  await receiver.start();
  sandbox = new Sandbox(postgres.url("bulk"), { monitor: [{ kind: "webhook", url: { env: "HEARTBEAT" } }] });
  Object.assign(sandbox.environment, {
    HEARTBEAT: receiver.url,
    ACCESS: "AKIDTEST",
    SECRET: "an-s3-secret-for-nobody",
  });
});
afterEach(async () => {
  sandbox.remove();
  await receiver.stop();
});

const s3At = (port: number) => ({
  kind: "s3",
  bucket: "backups",
  region: "us-east-1",
  endpoint: `http://127.0.0.1:${port}`,
  accessKeyId: { env: "ACCESS" },
  secretAccessKey: { env: "SECRET" },
  retrySeconds: 1,
});

/** Runs a backup, which must end by itself and say so to its monitor. */
async function expectToEnd(...expected: [code: number, message: RegExp]): Promise<Ended> {
  const run = sandbox.start("backup");
  const timer = setTimeout(() => run.child.kill("SIGKILL"), LIMIT_MS);
  const ended = await run.ended;
  clearTimeout(timer);
  expect([ended.code, ended.signal], ended.stderr).toEqual([expected[0], null]);
  expect(ended.stderr).toMatch(expected[1]);
  // As a set: where an answer is late on a busy machine, it is reported again.
  expect(new Set(receiver.pings.map(({ signal }) => signal))).toEqual(new Set(["start", "fail"]));
  // Its session is gone, and the lock with it.
  const locks = await sql(postgres, "bulk", "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'");
  expect(locks).toEqual([]);
  return ended;
}

describe.each([
  ["plain", {}],
  ["encrypted", { encryption: { recipients: [recipient] } }],
])("a %s backup ends", (_how, changes) => {
  beforeEach(() => {
    Object.assign(sandbox.job, changes);
  });

  it("when its only store refuses connections", async () => {
    sandbox.job.destinations = [s3At(await freePort())];
    await expectToEnd(4, /ECONNREFUSED/);
  }, 60_000);

  it("when both of its stores refuse connections", async () => {
    sandbox.job.destinations = [s3At(await freePort()), { ...s3At(await freePort()), prefix: "b" }];
    await expectToEnd(4, /ECONNREFUSED/);
  }, 60_000);

  it("when its only store dies while it takes the dump", async () => {
    const store = await dyingStore(2_000_000);
    sandbox.job.destinations = [{ ...s3At((store.address() as AddressInfo).port), partSizeMiB: 5 }];
    await expectToEnd(4, /ECONNREFUSED|ECONNRESET|socket hang up/);
  }, 60_000);

  it("when its only store is a folder that cannot be made", async () => {
    const { destinations } = sandbox.job;
    sandbox.job.destinations = [{ kind: "filesystem", path: "/proc/no-such-folder/backups" }];
    await expectToEnd(2, /Cannot make the folder \/proc\/no-such-folder: no folder can be made in \/proc/);
    sandbox.job.destinations = destinations;
    await makeBackup(sandbox);
  }, 60_000);
});

/** An S3 service that takes some bytes of an upload in parts, then ends all connections and refuses new ones. */
async function dyingStore(after: number): Promise<Server> {
  const server = createServer((request, response) => {
    let bytes = 0;
    request
      .on("error", () => undefined)
      .on("data", (piece: Buffer) => {
        bytes += piece.length;
        if (bytes < after) return;
        server.close();
        server.closeAllConnections();
      });
    request.on("end", () => {
      // Before it dumps, a run lists what is there.
      if (request.url?.includes("list-type=2")) {
        response.end(
          "<ListBucketResult><Name>backups</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>",
        );
      } else if (request.method !== "POST") response.writeHead(404).end();
      else
        response.end(
          "<InitiateMultipartUploadResult><Bucket>backups</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        );
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
