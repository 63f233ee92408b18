import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ensurePulumi } from "../../tools/install/pulumi.ts";

describe("ensurePulumi", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "provision-path-"));
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  });

  /** Puts a program first on PATH that calls itself Pulumi of this version. */
  async function installed(version: string): Promise<void> {
    const file = join(directory, "pulumi");
    await writeFile(file, `#!/bin/sh\necho ${version}\n`);
    await chmod(file, 0o755);
    vi.stubEnv("PATH", [directory, process.env.PATH].join(delimiter));
  }

  it("takes the CLI on PATH when it is new enough", async () => {
    await installed("v3.300.1");
    expect(await ensurePulumi()).toEqual({ directory, origin: "path" });
  });

  it.each(["v3.258.9", "v2.999.0", "nonsense"])("does not take %s", async (version) => {
    await installed(version);
    const cli = await ensurePulumi();
    expect(cli.directory).not.toBe(directory);
    expect(cli.origin).not.toBe("path");
  });
});
