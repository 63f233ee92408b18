import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// The runner with a defect, for the harness's self-test: `node broken-runner.ts <defect> <arguments of the runner>`.

const [defect = "", ...args] = process.argv.slice(2);
const command = args[0] ?? "";
const job = JSON.parse(readFileSync(args.at(-1) ?? "", "utf8")) as { destinations: { path: string }[] };
const folder = join(job.destinations[0]?.path ?? "", "faults/app");
const backups = () =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /^\d{8}T/.test(name))
        .sort()
    : [];
const before = backups();
const password = new URL(process.env.APP_URL ?? "").password;

/** Defects that show with other commands than a backup. */
const COMMANDS: Readonly<Record<string, string>> = {
  "restores before it has read": "restore",
  "lists what a forged record says": "list",
  "runs a table's code as a superuser": "drill",
  "removes what is held": "prune",
};

/** Only from its second backup on, so that the run has something to lose. */
const acts = command === (COMMANDS[defect] ?? "backup") && before.length > 0;

function real(environment: NodeJS.ProcessEnv = process.env) {
  const cli = fileURLToPath(new URL("../../../runner/cli.js", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    env: environment,
    encoding: "utf8",
  });
  const forged = defect === "lists what a forged record says" && command === "list";
  process.stdout.write(
    forged
      ? stdout
          .replaceAll('"state":"verified"', '"state":"damaged"')
          .replaceAll('"state": "verified"', '"state": "damaged"')
      : stdout,
  );
  return { code: status ?? 1, stderr };
}

function newest(file: string): string {
  return join(folder, backups().at(-1) ?? "", file);
}

/** Exchanges the archive of the newest backup for another that is as good, and has the manifest say so. */
function exchangeArchive(): void {
  const archive = newest("database.dump.zst");
  const url = (process.env.APP_URL ?? "").replace(/\/small$/, "/other");
  const plain = spawnSync("pg_dump", ["-Fc", "--compress=0", url], { maxBuffer: 1e9 }).stdout;
  const stored = spawnSync("zstd", ["-qc"], { input: plain, maxBuffer: 1e9 }).stdout;
  const sum = (bytes: Buffer) => ({ size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  writeFileSync(archive, stored);
  const manifest = JSON.parse(readFileSync(newest("manifest.json"), "utf8")) as { objects: { file: string }[] };
  for (const object of manifest.objects) {
    if (object.file === "database.dump.zst") Object.assign(object, { stored: sum(stored), plain: sum(plain) });
  }
  writeFileSync(newest("manifest.json"), JSON.stringify(manifest));
}

const DEFECTS: Readonly<Record<string, (done: { code: number; stderr: string }) => number>> = {
  "cuts an archive": ({ code }) => {
    const archive = newest("database.dump.zst");
    writeFileSync(archive, readFileSync(archive).subarray(0, -1));
    return code;
  },
  "writes no manifest": ({ code }) => {
    rmSync(newest("manifest.json"));
    return code;
  },
  "stores other rows": ({ code }) => {
    exchangeArchive();
    return code;
  },
  "prints the password": ({ code }) => {
    process.stderr.write(`connecting with ${password}\n`);
    return code;
  },
  "writes the password into a file": ({ code }) => {
    writeFileSync(newest("notes.json"), JSON.stringify({ password }), { mode: 0o600 });
    return code;
  },
  "passes the password as an argument": ({ code }) => {
    spawnSync("sh", ["-c", "sleep 0.3", password]);
    return code;
  },
  "prints a row": ({ code }) => {
    const [row] = spawnSync(
      "psql",
      ["-XAtc", "SELECT iban FROM shop.customers WHERE id = 97", process.env.APP_URL ?? ""],
      {
        encoding: "utf8",
      },
    ).stdout.split("\n");
    process.stderr.write(`DETAIL: Failing row contains (${row ?? ""})\n`);
    return code;
  },
  "removes an older backup": ({ code }) => {
    rmSync(join(folder, before.at(-1) ?? ""), { recursive: true });
    return code;
  },
  "calls a good backup damaged": ({ code }) => {
    writeFileSync(newest("damaged-29990101T000000Z.json"), "{}", { mode: 0o600 });
    return code;
  },
  "never ends": () => {
    spawnSync("sleep", ["1000"]);
    return 0;
  },
  "leaves a process": ({ code }) => {
    spawn("sleep", ["60"], { detached: true, stdio: "ignore" }).unref();
    return code;
  },
  "leaves a session": ({ code }) => {
    spawn("psql", ["-Xc", "SELECT pg_advisory_lock(1), pg_sleep(30)", process.env.APP_URL ?? ""], {
      detached: true,
      stdio: "ignore",
    }).unref();
    spawnSync("sleep", ["0.3"]);
    return code;
  },
  "leaves a file in the scratch folder": ({ code }) => {
    writeFileSync(join(process.env.TMPDIR ?? "", "provision-left"), "", { mode: 0o600 });
    return code;
  },
  "leaves a partial file": ({ code }) => {
    writeFileSync(newest(".x.partial"), "", { mode: 0o600 });
    return code;
  },
  "writes a file that others may read": ({ code }) => {
    writeFileSync(newest("notes.json"), "{}", { mode: 0o644 });
    return code;
  },
  "restores before it has read": ({ code }) => {
    const unpack = 'zstd -dqc "$1" | pg_restore -d "$2"';
    spawnSync("sh", ["-c", unpack, "sh", newest("database.dump.zst"), process.env.TARGET_URL ?? ""]);
    return code === 0 ? 5 : code;
  },
  "refuses because of a forged manifest": () => {
    process.stderr.write("error: the backups are of another database\n");
    return 2;
  },
  "takes over the order of another manifest": ({ code }) => {
    const file = join(folder, backups().find((name) => !before.includes(name)) ?? "", "manifest.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"order": \d+/, '"order": 9007199254740991'));
    return code;
  },
  "lists what a forged record says": ({ code }) => code,
  "obeys the role's settings": () => {
    process.stderr.write("error: the snapshot has no time\n");
    return 4;
  },
  "calls functions by any search path": ({ code }) => {
    spawnSync("psql", ["-Xc", "SELECT format('%I.%I', nspname, nspname) FROM pg_namespace", process.env.APP_URL ?? ""]);
    return code;
  },
  "runs a table's code as a superuser": ({ code }) => {
    spawnSync("psql", ["-Xc", "SELECT public.churn_act(1)", process.env.APP_URL ?? ""]);
    return code;
  },
  "commits after its lease is lost": ({ code }) => {
    cpSync(join(folder, backups().at(-1) ?? ""), join(folder, "20990101T000000Z-abcdef"), { recursive: true });
    return code;
  },
  "removes what is held": ({ code }) => {
    for (const [index, each] of backups().slice(0, -1).entries()) {
      rmSync(join(folder, each), { recursive: true });
      if (index === 0) spawnSync("sleep", ["2"]);
    }
    return code;
  },
  "ends with 13": () => 13,
  "fails without a word": () => 4,
};

let code: number;
if (!acts) {
  const done = real();
  process.stderr.write(done.stderr);
  code = done.code;
} else if (defect === "tells no monitor") {
  writeFileSync(args.at(-1) ?? "", JSON.stringify({ ...job, monitor: [] }));
  const done = real();
  process.stderr.write(done.stderr);
  code = done.code;
} else {
  const act = DEFECTS[defect];
  if (act === undefined) throw new RangeError(`there is no defect "${defect}"`);
  const done = defect === "removes what is held" ? { code: 0, stderr: "" } : real();
  code = act(done);
  if (defect !== "fails without a word") process.stderr.write(done.stderr);
}
process.exit(code);
