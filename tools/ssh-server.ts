import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { ensureSystemPrograms, type SystemProgram } from "./install/system-programs.ts";

/** OpenSSH insists on being started by an absolute path. */
const PLACES = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd"];

/** Debian's own switch that keeps the service off. */
const SWITCHED_OFF = "/etc/ssh/sshd_not_to_be_run";

/** OpenSSH's server. */
export const sshServer: SystemProgram = {
  what: `OpenSSH's server, for tests of another machine (none of ${PLACES.join(", ")} is there)`,
  isThere: () => Promise.resolve(find() !== undefined),
  packages: ["openssh-server"],
  beforeInstall: async () => {
    // It stays, so that installing a tool for tests never opens a machine to the network.
    await mkdir("/etc/ssh", { recursive: true });
    await writeFile(SWITCHED_OFF, "");
    console.error(
      `The service of OpenSSH, which is installed for the tests, stays off as long as ${SWITCHED_OFF} exists.`,
    );
    return () => Promise.resolve();
  },
  elsewhere: "Install it, for instance with `sudo dnf install openssh-server` on Fedora.",
};

/**
 * The path of the SSH server's program. Where it is missing, it is installed from Debian's or Ubuntu's packages if this
 * process may do that; their service is kept from starting.
 *
 * @throws {Error} that says what to run, where it may not be installed
 */
export async function ensureSshServer(): Promise<string> {
  await ensureSystemPrograms([sshServer]);
  const program = find();
  if (program === undefined) throw new Error("The SSH server that was just here is gone.");
  return program;
}

function find(): string | undefined {
  return PLACES.find((place) => existsSync(place));
}
