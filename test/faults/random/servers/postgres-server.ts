import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../../../tools/free-port.ts";
import { keepServer } from "../../../../tools/kept-server.ts";
import { ensurePostgres, serverEnvironment, serverOwner } from "../../../../tools/postgres.ts";

const run = promisify(execFile);

/** How long the server may take to be ready again, in milliseconds: after a crash, on a busy machine. */
const READY_MS = 60_000;

/** What holds for the harness's own sessions, whatever a database or a role says. */
const OWN_SETTINGS = [
  "client_min_messages=warning",
  "datestyle=ISO,MDY",
  "intervalstyle=postgres",
  "timezone=UTC",
  "client_encoding=UTF8",
  'search_path="$user",public',
  "statement_timeout=0",
  "lock_timeout=0",
  "idle_in_transaction_session_timeout=0",
  "default_transaction_read_only=off",
  "bytea_output=hex",
  "extra_float_digits=1",
  "standard_conforming_strings=on",
  "array_nulls=on",
];

/** Starts the server again whenever it has ended, unless a file `hold` stands beside it. */
const restarting = `
trap 'kill -QUIT $server 2>/dev/null; wait $server; exit' TERM
while :; do
  while [ -e hold ]; do sleep 0.05; done
  "$@" &
  server=$!
  wait $server
  sleep 0.05
done
`;

/** A throwaway PostgreSQL server that comes back after it was killed. */
export class FaultyPostgres {
  readonly port: number;
  /** The superuser's. */
  readonly password: string;
  /** Folder of the server's programs. */
  readonly programs: string;
  readonly #directory: string;
  readonly #stop: () => Promise<void>;

  private constructor(port: number, password: string, programs: string, directory: string, stop: () => Promise<void>) {
    this.port = port;
    this.password = password;
    this.programs = programs;
    this.#directory = directory;
    this.#stop = stop;
  }

  static async start(): Promise<FaultyPostgres> {
    const { directory: programs } = await ensurePostgres();
    const owner = await serverOwner();
    const directory = await mkdtemp("/tmp/faults-pg-");
    if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
    const password = `pw-${randomBytes(12).toString("hex")}`;
    const passwordFile = join(directory, "password");
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (owner !== undefined) await chown(passwordFile, owner.uid, owner.gid);
    const data = join(directory, "data");
    const initdb = [`--pgdata=${data}`, "--username=postgres", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    const options = { ...owner, cwd: directory, env: serverEnvironment() };
    await run(join(programs, "initdb"), [...initdb, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"], options);
    await rm(passwordFile);
    const port = await freePort();
    const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${directory}`];
    settings.push("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=64MB");
    settings.push("max_wal_size=2GB", "autovacuum=off");
    const server = [join(programs, "postgres"), "-D", data, ...settings.flatMap((setting) => ["-c", setting])];
    const env = serverEnvironment();
    const stop = keepServer(["/bin/sh", "-c", restarting, "sh", ...server], { directory, signal: "TERM", env, owner });
    const made = new FaultyPostgres(port, password, programs, directory, stop);
    await made.ready();
    await made.sql("postgres", `CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '${password}';`);
    return made;
  }

  /** Bytes that the server's log has. */
  logSize(): number {
    return statSync(join(this.#directory, "log")).size;
  }

  /** What the server has logged behind so many bytes. */
  logSince(from: number): string {
    return readFileSync(join(this.#directory, "log")).subarray(from).toString("utf8");
  }

  /** A connection URL of the role that jobs use, a superuser too. @param port another one than the server's own, of a proxy */
  url(database: string, port = this.port): string {
    return `postgresql://keeper:${this.password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  }

  /** Runs SQL with psql and gives its lines of output, columns parted by `|`. @throws {Error} with what psql says */
  async sql(database: string, text: string): Promise<string[]> {
    const args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"];
    const child = spawn("psql", args, { env: this.clientEnvironment(), stdio: ["pipe", "pipe", "pipe"] });
    child.stdin.on("error", () => undefined);
    child.stdin.end(text);
    let [output, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (more: string) => (output += more));
    child.stderr.setEncoding("utf8").on("data", (more: string) => (errors += more));
    const code = await new Promise((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`psql on ${database} ended with ${String(code)}: ${errors}`);
    return output.split("\n").filter((line) => line !== "");
  }

  /** Ends the server without a word, as a crash does. It stays down until {@link recover}. */
  async kill(): Promise<void> {
    await writeFile(join(this.#directory, "hold"), "");
    const pid = await this.#pid();
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  }

  /** Lets the server come back, and waits until it takes connections. */
  async recover(): Promise<void> {
    await rm(join(this.#directory, "hold"), { force: true });
    await this.ready();
  }

  /** Waits until the server takes connections. @throws {Error} with the server's log where it does not */
  async ready(): Promise<void> {
    const deadline = Date.now() + READY_MS;
    for (;;) {
      const answered = await this.sql("postgres", "SELECT 1").catch(() => []);
      if (answered[0] === "1") return;
      if (Date.now() > deadline) {
        const log = await readFile(join(this.#directory, "log"), "utf8").catch(() => "");
        throw new Error(`PostgreSQL is not ready:\n${log.slice(-3000)}`);
      }
      await sleep(50);
    }
  }

  /** Ends the server and removes it. */
  stop(): Promise<void> {
    return this.#stop();
  }

  async #pid(): Promise<number | undefined> {
    const text = await readFile(join(this.#directory, "data/postmaster.pid"), "utf8").catch(() => "");
    const pid = Number(text.split("\n")[0]);
    return pid > 0 ? pid : undefined;
  }

  /** With which libpq's programs reach the server as its superuser. */
  clientEnvironment(): Record<string, string> {
    return {
      ...serverEnvironment(),
      PGHOST: "127.0.0.1",
      PGPORT: String(this.port),
      PGUSER: "postgres",
      PGPASSWORD: this.password,
      PGOPTIONS: OWN_SETTINGS.map((each) => `-c ${each}`).join(" "),
    };
  }
}
