import { ensureActionlint } from "./actionlint.ts";
import { aptGet } from "./apt.ts";
import { ensureMoto } from "./moto.ts";
import { ensurePostgres } from "./postgres.ts";
import { ensurePostgres17 } from "./postgres-17.ts";
import { ensurePulumi, findOnPath } from "./pulumi.ts";
import { ensureVersitygw } from "./versitygw.ts";

// Brings what the tests need, before their time limits count: where programs must be built, that takes minutes.

/** Programs that tests use, with Debian's packages of them. */
const PROGRAMS = { age: "age", zstd: "zstd", crontab: "cron" };

const say = (line: string) => {
  console.log(line);
};
await ensurePulumi(say);
await ensureVersitygw(say);
await ensureActionlint(say);
await ensureMoto(say);
await ensurePostgres();
await ensurePostgres17(say);
const found = await Promise.all(Object.keys(PROGRAMS).map((name) => findOnPath(name)));
const missing = Object.values(PROGRAMS).filter((_, index) => found[index] === undefined);
if (missing.length > 0 && process.getuid?.() === 0) {
  await aptGet("update");
  await aptGet("install", "--no-install-recommends", ...missing);
} else if (missing.length > 0) {
  console.log(`Some tests need programs that are not here: sudo apt-get install ${missing.join(" ")}`);
}
