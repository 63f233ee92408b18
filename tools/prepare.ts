import { ensureActionlint } from "./actionlint.ts";
import { ensureMoto } from "./moto.ts";
import { testNeeds } from "./needs.ts";
import { ensurePostgres17 } from "./postgres-17.ts";
import { ensurePulumi } from "./pulumi.ts";
import { ensureSystemPrograms } from "./system-programs.ts";
import { ensureVersitygw } from "./versitygw.ts";

// Brings what the tests need, before their time limits count: where programs must be built, that takes minutes. What the
// machine lacks is told first and at once; what the cache has already is not brought again.

const say = (line: string) => {
  console.log(line);
};
try {
  await ensureSystemPrograms(await testNeeds(), say);
  await ensurePulumi(say);
  await ensureVersitygw(say);
  await ensureActionlint(say);
  await ensureMoto(say);
  await ensurePostgres17(say);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
