import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadJob } from "../../../runner/run/job.ts";
import { TemporaryFolder } from "../../helpers/script.ts";

const folder = new TemporaryFolder();
afterAll(() => {
  folder.remove();
});

const JOB = {
  stack: "prod",
  name: "app",
  database: { kind: "postgres", url: { env: "APP_URL" } },
  destinations: [{ kind: "filesystem", path: "/srv/backups" }],
};

function file(content: string): string {
  const path = join(folder.path, "job.json");
  writeFileSync(path, content);
  return path;
}

/** The message of the refusal, with its fix. */
async function refusal(path: string | undefined, environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const problem: unknown = await loadJob(path, environment).catch((error: unknown) => error);
  expect(problem).toMatchObject({ code: "CONFIG" });
  const { message, fix } = problem as { message: string; fix?: string };
  return `${message} Fix: ${fix ?? ""}`;
}

it("is read from a file, which goes before the environment, with its defaults", async () => {
  expect(await loadJob(file(JSON.stringify(JOB)), { PROVISION_JOB: "{}" })).toMatchObject({
    ...JOB,
    compression: { level: 1 },
    verify: true,
    timeoutMinutes: 1440,
    monitor: [],
  });
});

it("may name its schema, as editors want it", async () => {
  const job = { $schema: "./job.schema.json", ...JOB };
  expect(await loadJob(file(JSON.stringify(job)), {})).toMatchObject(JOB);
});

it("is read from the environment where no file is named", async () => {
  expect(await loadJob(undefined, { PROVISION_JOB: JSON.stringify(JOB) })).toMatchObject(JOB);
});

describe("the timer's schedule", () => {
  const environment = { PROVISION_SCHEDULE: "*/15 3 * * 1-5 America/Sao_Paulo" };

  it("is the job's where its file names none", async () => {
    const job = await loadJob(file(JSON.stringify(JOB)), environment);
    expect(job.schedule).toEqual({ cron: "*/15 3 * * 1-5", timezone: "America/Sao_Paulo" });
  });

  it("gives way to the file's own", async () => {
    const schedule = { cron: "0 4 * * *", timezone: "UTC" };
    expect((await loadJob(file(JSON.stringify({ ...JOB, schedule })), environment)).schedule).toEqual(schedule);
  });

  it("is checked like the rest", async () => {
    expect(await refusal(file(JSON.stringify(JOB)), { PROVISION_SCHEDULE: "0 3 * * * Nowhere" })).toContain(
      "schedule.timezone",
    );
  });
});

describe("an error tells what to do", () => {
  it("without any job", async () => {
    expect(await refusal(undefined)).toBe(
      "No job was named. Fix: Name its file with --job FILE, or set PROVISION_JOB to its JSON.",
    );
  });

  it("without the file", async () => {
    const path = join(folder.path, "missing.json");
    expect(await refusal(path)).toMatch(
      new RegExp(`^The job's file ${path} cannot be read: ENOENT.*Fix: Name an existing file`),
    );
  });

  it("with a folder", async () => {
    expect(await refusal(folder.path)).toMatch(/cannot be read: EISDIR.*Fix: Name an existing file/);
  });

  it("with a file that is no JSON, with the place and without its content", async () => {
    const text = '{ "database": {\n "url": "postgres://u:hunter2@h/db",,\n } }';
    const message = await refusal(file(text));
    expect(message).toContain(`${join(folder.path, "job.json")} is not JSON`);
    expect(message).toContain("provision schema");
    expect(message).not.toContain("hunter2");
  });

  it("with an environment that holds something else, which is not repeated", async () => {
    const message = await refusal(undefined, { PROVISION_JOB: "u:hunter2@h" });
    expect(message).toContain("The environment variable PROVISION_JOB is not JSON");
    expect(message).not.toContain("hunter2");
  });

  it("with one problem: its path, what is allowed and the fix", async () => {
    const message = await refusal(file(JSON.stringify({ ...JOB, verify: "yes" })));
    expect(message).toMatch(/job\.json has a problem:\n {2}verify: .+\n {4}Fix: .+/);
    expect(message).toContain('"yes"');
  });

  it("with several problems: all of them", async () => {
    const wrong = { ...JOB, name: "Not A Name", destinations: [], retention: { hours: 3 } };
    const message = await refusal(file(JSON.stringify(wrong)));
    expect(message).toMatch(/job\.json has \d problems:/);
    for (const path of ["name", "destinations", "retention"]) expect(message).toMatch(new RegExp(`\\n {2}${path}`));
  });

  it("with one folder twice, however it is written", async () => {
    const destinations = [
      { kind: "filesystem", path: "/srv/backups" },
      { kind: "filesystem", path: "/srv", prefix: "backups" },
    ];
    expect(await refusal(file(JSON.stringify({ ...JOB, destinations })))).toContain(
      "destinations[1]: expected a place of its own, and not that of destinations[0]",
    );
  });

  it("with a secret where a reference belongs, which is not repeated", async () => {
    const database = { kind: "postgres", url: "postgresql://app:hunter2@db/app" };
    const message = await refusal(file(JSON.stringify({ ...JOB, database })));
    expect(message).toContain("database.url");
    expect(message).not.toContain("hunter2");
  });
});
