import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { actionlint } from "../../tools/install/actionlint.ts";
import { isExecutable } from "../../tools/install/executables.ts";
import { ensureGo } from "../../tools/install/go.ts";
import { checkov } from "../../tools/install/checkov.ts";
import { moto } from "../../tools/install/moto.ts";
import { demoNeeds, testNeeds } from "../../tools/needs.ts";
import { postgresWheels } from "../../tools/install/postgres-wheels.ts";
import { ensureSystemPrograms, type SystemProgram } from "../../tools/install/system-programs.ts";
import { pulumiYaml } from "../../tools/install/pulumi-language-yaml.ts";
import { pulumiPython } from "../../tools/install/pulumi-python.ts";
import { versitygw } from "../../tools/install/versitygw.ts";
import { zizmor } from "../../tools/install/zizmor.ts";

let folder: string;
let path: string;

/** A machine whose PATH and cache are empty, and whose user is nobody in particular. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "provision-needs-"));
  path = join(folder, "path");
  await mkdir(path);
  vi.stubEnv("PATH", path);
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  vi.spyOn(process, "getuid").mockReturnValue(1000);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function program(file: string, script = "#!/bin/sh\n"): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, script);
  await chmod(file, 0o755);
}

const names = (needs: readonly SystemProgram[]) => needs.map(({ what }) => what.split(/[, ]/)[0]);

describe("what a machine must have", () => {
  it("is named all at once, each with how to install it", async () => {
    const error = await ensureSystemPrograms(await testNeeds()).catch((reason: unknown) => reason);
    const message = error instanceof Error ? error.message : "";
    for (const what of ["Go, which builds", "versitygw", "actionlint", "moto", "PostgreSQL 17", "openssl", "age"]) {
      expect(message).toContain(what.replace("moto", moto.purpose));
    }
    expect(message).toContain("https://go.dev/doc/install");
    expect(message).toContain("https://www.python.org/downloads/");
    expect(message).toMatch(
      /^On Debian and Ubuntu all of it comes with: sudo apt-get install .*golang-go ca-certificates python3-pip.* age zstd .*cron.*$/m,
    );
  });

  it("is neither Go nor pip where the cache has what they would bring", async () => {
    for (const { name, version } of [
      versitygw,
      actionlint,
      pulumiYaml,
      moto,
      pulumiPython,
      zizmor,
      checkov,
      ...postgresWheels,
    ]) {
      await program(join(folder, "cache/provision", `${name}-v${version}`, "bin", name));
    }
    await program(join(path, "pulumi"), "#!/bin/sh\necho v3.300.0\n");
    expect(names(await testNeeds())).not.toContain("Go");
    expect(names(await testNeeds())).not.toContain("Python");
    expect(names(await demoNeeds())).toEqual(["PostgreSQL", "crontab"]);
  });

  it("is no reason to stop where tests can do without it", async () => {
    const age = {
      what: "age",
      isThere: () => Promise.resolve(false),
      packages: ["age"],
      elsewhere: "",
      without: "x",
    };
    const said: string[] = [];
    await ensureSystemPrograms([age], (line) => said.push(line));
    expect(said.join("\n")).toContain("Without it, x.");
  });
});

describe("ensureGo", () => {
  /** A Go of this release, which fetches any other into a folder where nothing is executable. */
  async function installGo(release: string): Promise<void> {
    await program(
      join(path, "go"),
      `#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = env ]; then printf '%s\\n' ${release} linux amd64; exit; fi
[ "$1 $2 $3 $4" = "mod download -json golang.org/toolchain@v0.0.1-go1.26.0.linux-amd64" ] || exit 1
mkdir -p ${folder}/fetched/bin ${folder}/fetched/pkg/tool/linux_amd64
for file in bin/go pkg/tool/linux_amd64/compile; do printf '#!/bin/sh\\n' >"${folder}/fetched/$file"; done
echo '{ "Dir": "${folder}/fetched" }'
`,
    );
  }

  it.each(["go1.26.0", "go1.26.8", "go1.27rc1", "go1.30.1"])("takes %s from PATH", async (release) => {
    await installGo(release);
    expect(await ensureGo("a program", () => undefined)).toBe("go");
  });

  it.each(["go1.19.8", "go1.25.12"])("lets %s fetch the release that is needed", async (release) => {
    await installGo(release);
    const go = await ensureGo("a program", () => undefined);
    expect(go).toBe(join(folder, "fetched/bin/go"));
    for (const file of [go, join(folder, "fetched/pkg/tool/linux_amd64/compile")]) {
      await expect(isExecutable(file)).resolves.toBe(true);
    }
  });

  it("says what to install where nothing can be fetched", async () => {
    await program(join(path, "go"), "#!/bin/sh\nexit 1\n");
    await expect(ensureGo("a program", () => undefined)).rejects.toThrow(/Install Go 1\.26\.0 or newer/);
  });
});
