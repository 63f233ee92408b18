import { expect, it } from "vitest";
import { databaseKind } from "../../providers/database/index.ts";
import { failureOf } from "../helpers/failure.ts";

it("says which kinds of database this version knows, where a backup is of another", async () => {
  const error = await failureOf(Promise.resolve().then(() => databaseKind("oracle")));
  expect(error).toMatchObject({
    code: "CONFIG",
    message: 'This version of Provision knows no database of kind "oracle", only postgres, supabase.',
    fix: "Use the version of Provision that made the backup, or a newer one.",
  });
});
