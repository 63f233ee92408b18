import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import aws from "@pulumi/aws/package.json" with { type: "json" };
import command from "@pulumi/command/package.json" with { type: "json" };
import pulumi from "@pulumi/pulumi/package.json" with { type: "json" };
import { findPrograms } from "../providers/database/postgres/programs/clients.ts";
import { startEngine } from "./engine.ts";
import { cacheFolder } from "./install/go-program.ts";
import { ensurePostgres } from "./postgres.ts";

// Prints the versions of what the demo and the tests run with, so that a log says what had changed where they fail of a sudden.
// The PostgreSQL server and the Pulumi CLI are brought where they are missing.

const run = promisify(execFile);
const firstLine = async (program: string, argument: string): Promise<string> =>
  (await run(program, [argument])).stdout.trim().split("\n")[0] ?? "";

await ensurePostgres();
const engine = await startEngine({ say: () => undefined });
try {
  const servers = await findPrograms("initdb");
  const kept = await readdir(cacheFolder()).catch(() => []);
  const lines = [
    `Node.js ${process.version}`,
    ...(await Promise.all(servers.map(({ directory }) => firstLine(join(directory, "postgres"), "--version")))),
    `Pulumi CLI ${await firstLine(join(engine.cli, "pulumi"), "version")}`,
    `packages: @pulumi/pulumi ${pulumi.version}, @pulumi/aws ${aws.version}, @pulumi/command ${command.version}`,
    `plugins: command ${engine.commandPlugin}, aws ${(await engine.awsPlugin()) ?? "none: the tests that need it are left out"}`,
    `kept in the cache: ${kept.sort().join(", ") || "nothing"}`,
  ];
  for (const line of lines) console.log(line);
} finally {
  await engine.stop();
}
