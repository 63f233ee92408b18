import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { S3 } from "@aws-sdk/client-s3";
import { ensureVersitygw } from "../install/versitygw.ts";
import { registerSecret } from "./known-secrets.ts";
import { freePort } from "../free-port.ts";

/** How long the server may take to start, in milliseconds. */
const START_MS = 20_000;

/** A running S3 server. */
export interface Versitygw {
  /** For instance `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A client that talks to the server directly, to prepare and to look. */
  readonly client: S3;
  stop(): Promise<void>;
}

/** Starts an S3 server on a free port, with an empty folder for its buckets and another for their old versions. */
export async function startVersitygw(): Promise<Versitygw> {
  const executable = await ensureVersitygw();
  const folder = mkdtempSync(join(tmpdir(), "versitygw-"));
  mkdirSync(join(folder, "buckets"));
  mkdirSync(join(folder, "versions"));
  const accessKeyId = "AKIDPROVISIONTEST";
  const secretAccessKey = registerSecret("the secret of versitygw's access key", "5up3r-s3cret/Access+Key=");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ["--port", `127.0.0.1:${port}`, "--quiet", "--keep-alive", "--health", "/health", "posix"];
  const server = spawn(executable, [...args, "--versioning-dir", join(folder, "versions"), join(folder, "buckets")], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  });
  let said = "";
  server.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const end = Date.now() + START_MS;
  for (;;) {
    const healthy = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) break;
    if (server.exitCode !== null || Date.now() > end) throw new Error(`versitygw did not start: ${said}`);
    await sleep(50);
  }
  const client = new S3({
    endpoint: url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  return {
    url,
    accessKeyId,
    secretAccessKey,
    client,
    async stop() {
      client.destroy();
      const closed = once(server, "close");
      if (server.kill("SIGKILL")) await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
