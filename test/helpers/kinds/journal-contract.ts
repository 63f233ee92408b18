import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeMonitorContract, MARKER } from "../../contract/monitor.ts";
import { monitorContext } from "../monitor-context.ts";
import { journal } from "./journal.ts";

describeMonitorContract("journal", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "journal-")), "lines");
  const context = await monitorContext({ marker: MARKER });
  const monitor = await journal.create(journal.schema.parse({ kind: "journal", path }), context);
  return { monitor, service: undefined, logged: () => readFileSync(path, "utf8") };
});
