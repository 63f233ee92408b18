import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { commandLines } from "../helpers/processes.ts";

const module = join(import.meta.dirname, "../../tools/postgres.ts");

it.each(["process.kill(process.pid, 'SIGKILL')", "process.exit(0)", "await server.stop()", ""])(
  "a throwaway server does not outlive its process, which ends by: %s",
  async (ending) => {
    const program = `
      const { startPostgres } = await import(${JSON.stringify(module)});
      const server = await startPostgres();
      console.log(server.directory);
      ${ending}`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [output] = await Promise.all([text(child.stdout), once(child, "exit")]);
    const directory = output.trim();
    expect(directory).not.toBe("");
    await expect.poll(() => existsSync(directory)).toBe(false);
    // The shell that removes the folder ends right after it.
    await expect.poll(() => commandLines().filter((line) => line.includes(directory))).toEqual([]);
  },
);
