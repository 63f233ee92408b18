import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureMoto } from "../install/moto.ts";
import type { StackConfig } from "../engine.ts";
import { freePort } from "../free-port.ts";
import { startStepFunctions } from "./step-functions.ts";

/** How long the server may take to start, in milliseconds: it loads all of botocore. */
const START_MS = 60_000;

/** The services of AWS that the stack uses, by the provider's names of them. */
const SERVICES = [
  "cloudwatch",
  "cloudwatchevents",
  "cloudwatchlogs",
  "ec2",
  "ecr",
  "ecs",
  "iam",
  "kms",
  "rds",
  "s3",
  "scheduler",
  "secretsmanager",
  "sns",
  "sqs",
  "ssm",
  "sts",
];

/** A running stand-in for AWS. */
export interface Moto {
  /** For instance `http://127.0.0.1:40123`. */
  readonly url: string;
  /** The configuration that points `@pulumi/aws` at it. */
  readonly config: StackConfig;
  stop(): Promise<void>;
}

/** Starts a stand-in for AWS on a free port, with nothing in it but an account's default network. */
export async function startMoto(): Promise<Moto> {
  const executable = await ensureMoto();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn(executable, ["-H", "127.0.0.1", "-p", String(port)], {
    stdio: ["ignore", "ignore", "pipe"],
    // A bucket is its account's own, as in S3, unless its policy says otherwise.
    env: { ...process.env, MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS: "false" },
  });
  let said = "";
  server.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const end = Date.now() + START_MS;
  for (;;) {
    const ready = await fetch(`${url}/moto-api/`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) break;
    if (server.exitCode !== null || Date.now() > end) throw new Error(`moto did not start: ${said}`);
    await sleep(100);
  }
  const stepFunctions = await startStepFunctions(url);
  return {
    url,
    config: {
      "aws:region": "us-east-1",
      "aws:accessKey": "test",
      "aws:secretKey": "test",
      "aws:skipCredentialsValidation": true,
      "aws:s3UsePathStyle": true,
      "aws:endpoints": [{ ...Object.fromEntries(SERVICES.map((service) => [service, url])), sfn: stepFunctions.url }],
    },
    async stop() {
      await stepFunctions.stop();
      const closed = once(server, "close");
      if (server.kill("SIGKILL")) await closed;
    },
  };
}
