import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { once } from "node:events";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import ssh2 from "ssh2";
import { freePort } from "../../tools/free-port.ts";
import { keepServer } from "../../tools/kept-server.ts";
import { ensureSshServer } from "../../tools/ssh-server.ts";

/** A running throwaway SSH server. */
export interface Sshd {
  /** Always `127.0.0.1`. */
  readonly host: string;
  readonly port: number;
  /** The one user that may log in: the one that runs this process. */
  readonly user: string;
  /** The key to log in with, in OpenSSH's format. */
  readonly privateKey: string;
  /** The server's public key as one line, `ssh-ed25519 …`. */
  readonly hostKey: string;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/**
 * Starts a real OpenSSH server with fresh keys on a free port of 127.0.0.1. It serves commands and SFTP to the user that
 * runs this process, and ends with this process however that ends. Where OpenSSH is missing, it is installed from Debian's
 * or Ubuntu's packages if this process may do that; the packages' own service is kept from starting.
 *
 * @throws {Error} that says what to run, where it may not be installed
 */
export async function startSshd(): Promise<Sshd> {
  const program = await ensureSshServer();
  const directory = await mkdtemp(join(tmpdir(), "provision-sshd-"));
  const file = (name: string): string => join(directory, name);
  const hostKeys = ssh2.utils.generateKeyPairSync("ed25519");
  const userKeys = ssh2.utils.generateKeyPairSync("ed25519");
  const port = await freePort();
  await writeFile(file("host_key"), hostKeys.private, { mode: 0o600 });
  await writeFile(file("authorized_keys"), `${userKeys.public}\n`, { mode: 0o600 });
  await writeFile(
    file("sshd_config"),
    `ListenAddress 127.0.0.1
Port ${port}
HostKey ${file("host_key")}
AuthorizedKeysFile ${file("authorized_keys")}
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
PrintMotd no
Subsystem sftp internal-sftp
`,
  );
  // As root it wants an empty folder for its unprivileged part, which otherwise the package's service makes.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const stop = keepServer([program, "-D", "-e", "-f", file("sshd_config")], { directory, signal: "TERM" });
  try {
    await waitUntilReady(port, file("log"));
  } catch (error) {
    await stop();
    throw error;
  }
  const [type = "", key = ""] = hostKeys.public.split(" ");
  const user = userInfo().username;
  return { host: "127.0.0.1", port, user, privateKey: userKeys.private, hostKey: `${type} ${key}`, stop };
}

async function waitUntilReady(port: number, log: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await answers(port))) {
    if (Date.now() > deadline) throw new Error(`sshd did not start:\n${await readFile(log, "utf8").catch(() => "")}`);
    await sleep(20);
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
