import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findPrograms, type ProgramDirectory } from "../providers/database/postgres/programs/clients.ts";
import { freePort } from "./free-port.ts";
import { keepServer } from "./kept-server.ts";
import { privateInstallation } from "./install/postgres-installation.ts";
import { ensureSystemPrograms, type SystemProgram } from "./install/system-programs.ts";

const run = promisify(execFile);

/** Options of {@link startPostgres}. */
export interface PostgresOptions {
  /** Serve TLS, with a certificate for `localhost` (and not for 127.0.0.1) of a fresh authority. Default false. */
  readonly tls?: boolean;
  /** Server settings beside the defaults, for instance `{ max_connections: "20" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Name of the superuser. Default `postgres`. */
  readonly superuser?: string;
  /** Folder of the server's programs, which are copied for it. Default: the newest installed ones. */
  readonly binDirectory?: string;
  /** Folder with control files and scripts of extensions that this server has beside those installed. */
  readonly extensions?: string;
  /** Start a hot standby of this server, with its superuser and password. */
  readonly standbyOf?: Postgres;
}

/** A running throwaway server. */
export interface Postgres {
  /** Always `127.0.0.1`. */
  readonly host: string;
  readonly port: number;
  /** The superuser's name. */
  readonly user: string;
  readonly password: string;
  /** Folder of the server's programs, the clients among them. */
  readonly binDirectory: string;
  /** Folder that holds everything of this server, its unix socket too. */
  readonly directory: string;
  /** File with the authority's certificate, where TLS is on. */
  readonly rootCertificate: string | undefined;
  /** A connection URL of the superuser for one of its databases. */
  url(database: string): string;
  /** Ends the server at once and removes its folder. May be called more than once. */
  stop(): Promise<void>;
}

/** A PostgreSQL server with its clients. */
export const postgresServer: SystemProgram = {
  what: "PostgreSQL, server and clients, for throwaway databases (there is no initdb in the usual places or on PATH)",
  isThere: async () => (await findPrograms("initdb")).length > 0,
  packages: ["postgresql"],
  beforeInstall: async () => {
    // The server's package would create a cluster and start it; that is not wanted on a machine that only runs tests.
    const setting = "/etc/postgresql-common/createcluster.d/no-main-cluster.conf";
    await mkdir(dirname(setting), { recursive: true });
    await writeFile(setting, "create_main_cluster = false\n");
    return () => rm(setting, { force: true });
  },
  elsewhere:
    "Install it, for instance with `sudo dnf install postgresql-server` on Fedora or `brew install postgresql`.",
};

/**
 * The newest installed PostgreSQL server. Where there is none, it is installed from Debian's or Ubuntu's packages if this
 * process may do that; no service is started.
 *
 * @throws {Error} that says what to run, where it may not
 */
export async function ensurePostgres(): Promise<ProgramDirectory> {
  await ensureSystemPrograms([postgresServer]);
  const found = await findPrograms("initdb");
  const newest = found.find(({ major }) => major === found.at(-1)?.major);
  if (newest === undefined) throw new Error("The PostgreSQL server that was just here is gone.");
  return newest;
}

/**
 * Starts a real server in a temporary folder, on a free TCP port of 127.0.0.1 and a unix socket in its folder, with
 * password authentication on both. It ends with this process however that ends, and its folder with it.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const binDirectory = options.binDirectory ?? (await ensurePostgres()).directory;
  const { standbyOf, extensions } = options;
  const superuser = standbyOf?.user ?? options.superuser ?? "postgres";
  const owner = await serverOwner();
  // A unix socket's path may have about 100 characters, so a long temporary folder (macOS) cannot hold it.
  const directory = await mkdtemp(join(tmpdir().length > 60 ? "/tmp" : tmpdir(), "provision-pg-"));
  try {
    if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
    const programs =
      extensions === undefined && options.binDirectory === undefined
        ? binDirectory
        : await privateInstallation(binDirectory, join(directory, "programs"), extensions);
    const password = standbyOf?.password ?? randomBytes(12).toString("hex");
    const passwordFile = join(directory, "password");
    await writeOwned(passwordFile, password, owner);
    const data = join(directory, "data");
    const start = standbyOf === undefined ? initialise : copyPrimary;
    await start(programs, { data, passwordFile, superuser, primary: standbyOf, owner, directory });
    await rm(passwordFile);
    const rootCertificate = options.tls === true ? await makeCertificates(directory, owner) : undefined;
    const settings: Record<string, string> = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: directory,
      // Nothing here outlives the process, so nothing needs to survive a crash.
      fsync: "off",
      full_page_writes: "off",
      synchronous_commit: "off",
      max_wal_size: "4GB",
      shared_buffers: "128MB",
      ...(rootCertificate === undefined
        ? {}
        : { ssl: "on", ssl_cert_file: join(directory, "server.crt"), ssl_key_file: join(directory, "server.key") }),
      ...options.settings,
    };
    const { port, stop } = await launch(programs, directory, settings, owner);
    return {
      host: "127.0.0.1",
      port,
      user: superuser,
      password,
      binDirectory,
      directory,
      rootCertificate,
      url: (database) => `postgresql://${superuser}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
      stop,
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** What a data folder is made with. */
interface NewData {
  readonly data: string;
  readonly passwordFile: string;
  readonly superuser: string;
  readonly primary: Postgres | undefined;
  readonly owner: Owner | undefined;
  readonly directory: string;
}

async function initialise(
  programs: string,
  { data, passwordFile, superuser, owner, directory }: NewData,
): Promise<void> {
  await run(
    join(programs, "initdb"),
    [
      `--pgdata=${data}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
      "--data-checksums",
      "--no-sync",
    ],
    { ...owner, cwd: directory, env: serverEnvironment() },
  );
}

async function copyPrimary(programs: string, { data, primary, owner, directory }: NewData): Promise<void> {
  const { host = "", port = 0, user = "", password = "" } = primary ?? {};
  const args = [`--pgdata=${data}`, "--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--no-password"];
  const env = { ...serverEnvironment(), PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
  await run(join(programs, "pg_basebackup"), args, { ...owner, cwd: directory, env });
}

/** The user and group that a server runs as. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom a server runs as where this process is root, which PostgreSQL refuses: `postgres` or `nobody`; undefined for this process's own user. */
export async function serverOwner(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const [, , uid, gid] = ["postgres", "nobody"]
    .flatMap((name) => lines.find(([each]) => each === name) ?? [])
    .slice(0, 4);
  if (uid === undefined || gid === undefined) throw new Error("/etc/passwd has neither a user postgres nor nobody.");
  return { uid: Number(uid), gid: Number(gid) };
}

/** The environment that a server runs with: this machine's settings must not change what it does. */
export function serverEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8", TZ: "UTC" };
}

async function writeOwned(file: string, content: string, owner: Owner | undefined): Promise<void> {
  await writeFile(file, content, { mode: 0o600 });
  if (owner !== undefined) await chown(file, owner.uid, owner.gid);
}

/** An authority, and a certificate of it for the name `localhost`. */
async function makeCertificates(directory: string, owner: Owner | undefined): Promise<string> {
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]) => run("openssl", args, { cwd: directory });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const ca = ["-subj", "/CN=Throwaway authority", "-addext", "basicConstraints=critical,CA:TRUE"];
  await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "7", ...ca);
  await openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  await writeFile(file("server.ext"), "subjectAltName=DNS:localhost\n");
  const signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "7", "-extfile", "server.ext"];
  await openssl("x509", "-req", "-in", "server.csr", "-out", "server.crt", ...signer);
  await chmod(file("server.key"), 0o600);
  if (owner !== undefined) {
    for (const name of ["server.key", "server.crt"]) await chown(file(name), owner.uid, owner.gid);
  }
  return file("ca.crt");
}

async function launch(
  binDirectory: string,
  directory: string,
  settings: Readonly<Record<string, string>>,
  owner: Owner | undefined,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const port = await freePort();
  const assignments = Object.entries({ ...settings, port: String(port) });
  const server = [
    join(binDirectory, "postgres"),
    "-D",
    join(directory, "data"),
    ...assignments.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  const stop = keepServer(server, { directory, signal: "QUIT", env: serverEnvironment(), owner });
  try {
    await waitUntilReady(directory);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

async function waitUntilReady(directory: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    // The eighth line is the server's state.
    const state = await readFile(join(directory, "data", "postmaster.pid"), "utf8").catch(() => "");
    if (state.split("\n")[7]?.startsWith("ready") === true) return;
    const log = await readFile(join(directory, "log"), "utf8").catch(() => "");
    if (log.includes("FATAL") || Date.now() > deadline)
      throw new Error(`PostgreSQL did not start:\n${log.slice(-4000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
