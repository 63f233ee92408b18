import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { S3 } from "@aws-sdk/client-s3";
import { freePort } from "../../../../tools/free-port.ts";
import { ensureVersitygw } from "../../../../tools/install/versitygw.ts";

/** How long the server may take to start, in milliseconds. */
const START_MS = 30_000;

/** An S3 server whose buckets are plain folders, and which can be killed and started again. */
export class FaultyS3 {
  readonly accessKeyId = "AKIDFAULTS";
  readonly secretAccessKey = "fau1ts-s3cret/Access+Key=";
  readonly port: number;
  /** The folder of the buckets. */
  readonly buckets: string;
  readonly #folder: string;
  readonly #executable: string;
  #process: ChildProcess | undefined;

  private constructor(executable: string, folder: string, port: number) {
    this.#executable = executable;
    this.#folder = folder;
    this.port = port;
    this.buckets = join(folder, "buckets");
    mkdirSync(this.buckets);
  }

  static async start(): Promise<FaultyS3> {
    const executable = await ensureVersitygw();
    const server = new FaultyS3(executable, mkdtempSync("/tmp/faults-s3-"), await freePort());
    await server.recover();
    return server;
  }

  async makeBucket(name: string): Promise<void> {
    await this.#ask((client) => client.createBucket({ Bucket: name }));
  }

  /**
   * The uploads of a bucket that are neither complete nor ended. The server is asked, and not its disk: a part that arrives after
   * its upload has been ended stays there as a file that nobody can list or remove.
   */
  async unfinished(bucket: string): Promise<string[]> {
    const { Uploads = [] } = await this.#ask((client) => client.listMultipartUploads({ Bucket: bucket }));
    return Uploads.map(({ Key, UploadId }) => `${Key ?? ""} (${UploadId ?? ""})`);
  }

  async #ask<T>(question: (client: S3) => Promise<T>): Promise<T> {
    const client = new S3({
      endpoint: `http://127.0.0.1:${this.port}`,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: this.accessKeyId, secretAccessKey: this.secretAccessKey },
    });
    try {
      return await question(client);
    } finally {
      client.destroy();
    }
  }

  /** Ends the server without a word. */
  kill(): void {
    this.#process?.kill("SIGKILL");
    this.#process = undefined;
  }

  /** Starts the server if it is down. */
  async recover(): Promise<void> {
    if (this.#process !== undefined) return;
    const args = ["--port", `127.0.0.1:${this.port}`, "--quiet", "--keep-alive", "--health", "/health", "posix"];
    const server = spawn(this.#executable, [...args, this.buckets], {
      stdio: "ignore",
      env: { ROOT_ACCESS_KEY: this.accessKeyId, ROOT_SECRET_KEY: this.secretAccessKey },
    });
    this.#process = server;
    process.once("exit", () => server.kill("SIGKILL"));
    const deadline = Date.now() + START_MS;
    for (;;) {
      const healthy = await fetch(`http://127.0.0.1:${this.port}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (healthy) return;
      if (server.exitCode !== null || Date.now() > deadline) throw new Error("versitygw did not start.");
      await sleep(50);
    }
  }

  stop(): void {
    this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
