import type { Readable } from "node:stream";
import type { Program } from "./program.ts";

/** The program with its whole environment. */
export async function prepared({ fresh, ...program }: Program): Promise<Program> {
  const more = (await fresh?.()) ?? {};
  const secrets = more.PGPASSWORD === undefined ? program.secrets : [...program.secrets, more.PGPASSWORD];
  return { ...program, env: { ...program.env, ...more }, secrets };
}

/** As {@link prepared}; a source that fails before there is somebody to read it does so when it is read. */
export async function preparedFor(source: Readable, program: Program): Promise<Program> {
  source.on("error", () => undefined);
  try {
    return await prepared(program);
  } catch (error) {
    source.destroy();
    throw error;
  }
}
