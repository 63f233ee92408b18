import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { local, remote, types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from "vitest";
import { EngineError, startEngine, type Engine, type EngineStack, type Step } from "../../tools/engine.ts";
import { startSshd, type Sshd } from "../helpers/sshd.ts";

let engine: Engine;
let directory: string;
let stack: EngineStack;
/** What the program of the stack declares; a test changes it between two operations. */
let declare: () => Record<string, unknown>;

beforeAll(async () => {
  engine = await startEngine({ commandPlugin: "stand-in" });
});

afterAll(() => engine.stop());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "provision-command-"));
  declare = () => ({});
  stack = await engine.stack({ program: () => Promise.resolve(declare()) });
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** A command that appends a line to the journal of the test. */
function note(line: string): string {
  return `echo "${line}" >> '${join(directory, "journal")}'`;
}

async function journal(): Promise<string[]> {
  const text = await readFile(join(directory, "journal"), "utf8").catch(() => "");
  return text.split("\n").slice(0, -1);
}

function ops(steps: readonly Step[]): string[] {
  return steps.map(({ op, name }) => `${op} ${name}`);
}

async function failureOf(operation: Promise<unknown>): Promise<EngineError> {
  const error = await operation.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error("the operation did not fail", { cause: error });
  return error;
}

describe("a local command", () => {
  it("runs nothing in a preview, and once in an update", async () => {
    const seen: string[] = [];
    declare = () => {
      const command = new local.Command("greeting", { create: `${note("create")}; echo hello; echo hm >&2` });
      command.stdout.apply((text) => seen.push(text));
      return { stdout: command.stdout, stderr: command.stderr };
    };
    expect(ops((await stack.preview()).steps)).toEqual(["create greeting"]);
    expect(seen).toEqual([]);
    expect(await journal()).toEqual([]);

    await stack.up();
    expect(await journal()).toEqual(["create"]);
    expect(seen).toEqual(["hello"]);
    expect(await stack.outputs()).toMatchObject({ stdout: { value: "hello" }, stderr: { value: "hm" } });

    expect((await stack.preview({ expectNoChanges: true })).steps).toEqual([]);
    expect((await stack.up()).steps).toEqual([]);
    expect(await journal()).toEqual(["create"]);
  });

  it("is updated in place by its update command, which sees what the one before it wrote", async () => {
    let value = "one";
    declare = () => {
      const create = `echo "created $VALUE"; echo problem >&2`;
      const update = `echo "updated $VALUE after <$PULUMI_COMMAND_STDOUT> <$PULUMI_COMMAND_STDERR>"`;
      const { stdout } = new local.Command("value", { create, update, environment: { VALUE: value } });
      return { stdout };
    };
    await stack.up();
    value = "two";
    expect((await failureOf(stack.preview({ expectNoChanges: true }))).message).toContain("changes were proposed");
    expect(ops((await stack.up()).steps)).toEqual(["update value"]);
    expect((await stack.outputs()).stdout?.value).toBe("updated two after <created one> <problem>");
  });

  it("runs create again where it has no update, without the earlier output if that is not wanted", async () => {
    let stdin = "one";
    declare = () => {
      const create = `echo "$(cat) <$PULUMI_COMMAND_STDOUT>"`;
      const { stdout } = new local.Command("value", { create, stdin, addPreviousOutputInEnv: false });
      return { stdout };
    };
    await stack.up();
    stdin = "two";
    expect(ops((await stack.up()).steps)).toEqual(["update value"]);
    expect((await stack.outputs()).stdout?.value).toBe("two <>");
  });

  it("is replaced by a changed trigger: the new create runs before the old delete", async () => {
    let generation = 1;
    declare = () => {
      new local.Command("thing", {
        create: note("create $NUMBER"),
        update: note("update $NUMBER"),
        delete: note("delete $NUMBER $(cat)"),
        environment: { NUMBER: String(generation) },
        stdin: `input ${generation}`,
        triggers: [{ generation }],
      });
      return {};
    };
    await stack.up();
    generation = 2;
    const { steps } = await stack.up();
    expect(ops(steps).filter((op) => !op.startsWith("replace"))).toEqual([
      "create-replacement thing",
      "delete-replaced thing",
    ]);
    expect(await journal()).toEqual(["create 1", "create 2", "delete 1 input 1"]);
  });

  it("runs the stored delete when it leaves the program, and on destroy", async () => {
    const thing = (name: string): void => {
      const environment = { NAME: name };
      new local.Command(name, { create: "true", delete: note("delete $NAME $(cat)"), stdin: "stored", environment });
    };
    declare = () => {
      thing("first");
      thing("second");
      return {};
    };
    await stack.up();
    declare = () => {
      thing("second");
      return {};
    };
    expect(ops((await stack.up()).steps)).toEqual(["delete first"]);
    expect(await journal()).toEqual(["delete first stored"]);
    await stack.destroy();
    expect(await journal()).toEqual(["delete first stored", "delete second stored"]);
  });

  it("fails the update with its text, its output and its exit code, and changes no state", async () => {
    let create = "echo fine";
    declare = () => {
      new local.Command("fragile", { create });
      return {};
    };
    await stack.up();
    create = "echo visible; echo reason >&2; exit 3";
    const { message } = await failureOf(stack.up());
    expect(message).toContain(`exit status 3: running "echo visible; echo reason >&2; exit 3":`);
    expect(message).toMatch(/visible\n\s*reason/);
    create = "echo fine";
    await stack.preview({ expectNoChanges: true });
  });

  it("is not created when its create fails", async () => {
    declare = () => {
      new local.Command("fragile", { create: "kill -9 $$", delete: note("delete") });
      return {};
    };
    expect((await failureOf(stack.up())).message).toContain("signal: SIGKILL");
    await stack.destroy();
    expect(await journal()).toEqual([]);
  });

  it("runs in its folder with its interpreter", async () => {
    declare = () => {
      const create = `console.log(process.cwd())`;
      const { stdout } = new local.Command("node", { create, dir: directory, interpreter: [process.execPath, "-e"] });
      return { stdout };
    };
    await stack.up();
    expect((await stack.outputs()).stdout?.value).toBe(directory);
  });

  it("keeps a secret input out of the state and the output", async () => {
    const secret = "correct horse battery staple";
    let suffix = "";
    declare = () => {
      new local.Command("careful", {
        create: `test "$(cat)" = "$PASSWORD${suffix}"`,
        update: `test "$(cat)" = "$PASSWORD${suffix}"`,
        delete: `test "$(cat)" = "$PASSWORD${suffix}"`,
        stdin: pulumi.secret(secret + suffix),
        environment: { PASSWORD: pulumi.secret(secret), PLAIN: "to be seen" },
      });
      new local.Command("loud", { create: "cat", stdin: pulumi.secret("printed anyway") });
      new local.Command(
        "quiet",
        { create: "cat", stdin: pulumi.secret("never printed"), logging: "none" },
        { additionalSecretOutputs: ["stdout"] },
      );
      return {};
    };
    let everything = (await stack.up()).output;
    suffix = "!";
    everything += (await stack.up()).output;
    const state = await stack.exportState();
    everything += (await stack.destroy()).output;
    for (const entry of await readdir(stack.directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) everything += await readFile(join(entry.parentPath, entry.name), "utf8");
    }
    expect(everything).toContain("to be seen");
    for (const hidden of [secret, "never printed"]) {
      expect(everything).not.toContain(hidden);
      expect(everything).not.toContain(Buffer.from(hidden).toString("base64").replace(/=+$/, ""));
    }
    // What a command prints is stored in clear, as by the official plugin.
    expect(state).toContain(`"stdout":"printed anyway"`);
  });

  it("refuses what the stand-in does not have", async () => {
    declare = () => {
      new local.Command("files", { create: "true", assetPaths: ["*.txt"] });
      return {};
    };
    expect((await failureOf(stack.up())).message).toMatch(/assetPaths.*does not support it/);
  });
});

describe("over SSH", () => {
  let sshd: Sshd;

  beforeAll(async () => {
    sshd = await startSshd();
  });

  afterAll(() => sshd.stop());

  let dialErrorLimit = 0;

  function connection({ hostKey } = sshd): types.input.remote.ConnectionArgs {
    const { host, port, user, privateKey } = sshd;
    return { host, port, user, privateKey, hostKey, dialErrorLimit };
  }

  it("runs the commands of a remote command there, and keeps the key secret", async () => {
    let value = "one";
    declare = () => {
      const command = new remote.Command("there", {
        connection: connection(),
        create: `${note("create $(cat)")}; echo "over $SSH_CONNECTION"`,
        update: note("update $(cat)"),
        delete: note("delete $(cat)"),
        stdin: pulumi.secret(`secret ${value}`),
      });
      return { stdout: command.stdout };
    };
    await stack.up();
    expect((await stack.outputs()).stdout?.value).toMatch(new RegExp(`^over 127.0.0.1 \\d+ 127.0.0.1 ${sshd.port}$`));
    await stack.preview({ expectNoChanges: true });
    value = "two";
    await stack.up();
    const state = await stack.exportState();
    expect(state).not.toContain(sshd.privateKey.split("\n")[2]);
    expect(state).not.toContain("secret two");
    await stack.destroy();
    expect(await journal()).toEqual(["create secret one", "update secret two", "delete secret two"]);
  });

  it("fails with the command's text and output", async () => {
    declare = () => {
      new remote.Command("there", { connection: connection(), create: "echo visible; exit 4" });
      return {};
    };
    const { message } = await failureOf(stack.up());
    expect(message).toMatch(/Process exited with status 4: running "echo visible; exit 4":\s+visible/);
  });

  it("refuses a host with another key", async () => {
    declare = () => {
      const hostKey = `ssh-ed25519 ${Buffer.alloc(51).toString("base64")}`;
      new remote.Command("there", { connection: connection({ ...sshd, hostKey }), create: note("create") });
      return {};
    };
    expect((await failureOf(stack.up())).message).toContain("after 1 failed attempts");
    expect(await journal()).toEqual([]);
  });

  it("copies a file, a text and a folder, again only when they change", async () => {
    const source = join(directory, "source");
    const target = join(directory, "target");
    await mkdir(join(source, "inner"), { recursive: true });
    await writeFile(join(source, "file"), "content");
    await writeFile(join(source, "inner", "deep"), Buffer.alloc(300_000, 7));
    declare = () => {
      const copy = (name: string, from: pulumi.asset.Asset | pulumi.asset.Archive, to: string): void => {
        new remote.CopyToRemote(name, { connection: connection(), source: from, remotePath: join(target, to) });
      };
      copy("file", new pulumi.asset.FileAsset(join(source, "file")), "a/b/copied");
      copy("text", new pulumi.asset.StringAsset("words"), "text");
      copy("folder", new pulumi.asset.FileArchive(source), "folder");
      copy("contents", new pulumi.asset.FileArchive(`${source}/`), "contents");
      return {};
    };
    await stack.up();
    const read = (file: string): Promise<string> => readFile(join(target, file), "utf8");
    expect(await read("a/b/copied")).toBe("content");
    expect(await read("text")).toBe("words");
    expect((await stat(join(target, "folder/source/inner/deep"))).size).toBe(300_000);
    expect(await read("contents/file")).toBe("content");

    await stack.preview({ expectNoChanges: true });
    await rm(join(target, "text"));
    await writeFile(join(source, "file"), "changed");
    dialErrorLimit = 1;
    const { summary } = await stack.up();
    expect(summary).toEqual({ same: 1, update: 4 });
    expect(await read("a/b/copied")).toBe("changed");
    expect(await read("folder/source/file")).toBe("changed");
    // Of the text only the connection has changed.
    await expect(read("text")).rejects.toThrow("ENOENT");

    await stack.destroy();
    expect(await read("contents/file")).toBe("changed");
  });
});
