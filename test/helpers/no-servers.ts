/**
 * Loaded before each file of the tier `unit`, which starts no server and no engine: there they throw. A file that starts one
 * lands in another tier by what it imports (`tools/tests/tiers.ts`); this holds where that was not seen.
 */
import { ChildProcess } from "node:child_process";
import { Server } from "node:net";
import { basename } from "node:path";

/** The programs that are servers or engines, or that make what a server needs. */
const SERVERS = ["postgres", "initdb", "pg_ctl", "pulumi", "versitygw", "moto_server", "sshd"];

function refuse(what: string): never {
  throw new Error(
    `A file of tests in the tier \`unit\` starts no server, and this one starts ${what}. The tier follows from what a file ` +
      "imports: add the function that starts it to tools/tests/needs.ts.",
  );
}

Server.prototype.listen = () => refuse("a server in its own process");

interface Spawned {
  readonly file: string;
  readonly args?: readonly string[];
}
// What the types leave out: every way to start a process but the synchronous ones comes here.
const prototype = ChildProcess.prototype as unknown as { spawn: (options: Spawned) => unknown };
const { spawn } = prototype;
prototype.spawn = function (this: ChildProcess, options: Spawned) {
  const started = [options.file, ...(options.args ?? [])].find((part) => SERVERS.includes(basename(part)));
  if (started !== undefined) {
    // The recording asks for them after the failure, too.
    Object.assign(this, { spawnargs: [] });
    refuse(basename(started));
  }
  return spawn.call(this, options);
};
