import type { Readable } from "node:stream";

/** What a program's environment is made of. */
export interface Preparable {
  /** The whole environment, but for what is fresh. */
  readonly env: Readonly<Record<string, string>>;
  /** More of the environment, made right before each start: a password that lives for minutes. Left out: there is no more. */
  readonly fresh?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  /** What must not appear in an error. */
  readonly secrets: readonly string[];
}

/** The program with its whole environment. */
export async function prepared<Program extends Preparable>(program: Program): Promise<Program> {
  const more = (await program.fresh?.()) ?? {};
  const secrets = more.PGPASSWORD === undefined ? program.secrets : [...program.secrets, more.PGPASSWORD];
  return { ...program, fresh: undefined, env: { ...program.env, ...more }, secrets };
}

/** As {@link prepared}; a source that fails before there is somebody to read it does so when it is read. */
export async function preparedFor<Program extends Preparable>(source: Readable, program: Program): Promise<Program> {
  source.on("error", () => undefined);
  try {
    return await prepared(program);
  } catch (error) {
    source.destroy();
    throw error;
  }
}
