import { PassThrough, Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openLog } from "../../../runner/run/log.ts";
import { Redactor } from "../../../runner/run/redact.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { printed } from "../../helpers/reports.ts";
import { Sandbox, type Ended } from "../../helpers/sandbox.ts";
import { WebhookReceiver } from "../../../tools/services/webhook-receiver.ts";

/** A name that clears the screen, begins a line of its own, and turns the direction of what follows. */
const EVIL = "evil\u001b[2J\u009b2J\r\nFix: run me\u202e\u2028Fix: or me";
const SHOWN = "evil\\u001b[2J\\u009b2J\\r\\nFix: run me\\u202e\\u2028Fix: or me";

let postgres: Postgres;
let receiver: WebhookReceiver;
let sandbox: Sandbox;
const quoted = `"${EVIL}"`;
beforeAll(async () => {
  postgres = await startPostgres();
  await sql(postgres, "postgres", `CREATE ROLE ${quoted}`);
  await sql(postgres, "postgres", `CREATE DATABASE ${quoted} TEMPLATE template0`);
  // The package's own URLs cannot name it.
  const { host, port, user, password } = postgres;
  const client = new Client({ host, port, user, password, database: EVIL });
  await client.connect();
  await client.query(`CREATE TABLE ${quoted} (n int); ALTER TABLE ${quoted} OWNER TO ${quoted}`);
  await client.end();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  receiver = new WebhookReceiver("key-of-the-check");
  await receiver.start();
  sandbox = new Sandbox(postgres.url(EVIL), {
    drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true },
    monitor: [{ kind: "webhook", url: { env: "HEARTBEAT" } }],
  });
  Object.assign(sandbox.environment, {
    HEARTBEAT: receiver.url,
    DRILL_URL: postgres.url("postgres"),
    TARGET_URL: postgres.url("target"),
  });
});
afterEach(async () => {
  sandbox.remove();
  await receiver.stop();
});

/** Nothing is there but what is seen, and no line is a name's. */
function expectVisible(text: string): void {
  expect([...text.matchAll(/[^\P{C}\n]|[\u2028\u2029\u202e]/gu)].map(([found]) => JSON.stringify(found))).toEqual([]);
  expect(text).not.toMatch(/^\s*Fix: (?:run|or) me/m);
}

async function visible(...args: string[]): Promise<Ended> {
  const ended = await sandbox.run(...args, "--log-level", "debug");
  expectVisible(ended.stdout);
  expectVisible(ended.stderr);
  return ended;
}

describe("a name that is no name for people", () => {
  it("is shown with its characters spelled out, and is exact in JSON", async () => {
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, databases: [EVIL] };
    const backup = await visible("backup");
    expect(backup.code, backup.stderr).toBe(0);
    expect((await visible("list", "--contents")).stdout).toContain(`the database ${SHOWN}`);
    const list = await visible("list", "--contents", "--json");
    expect(JSON.stringify(printed(list))).toContain(JSON.stringify(`the database ${EVIL}`).slice(1, -1));
    const other = await visible("restore", "--to", "env:TARGET_URL");
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining(`Choose one: --database ${SHOWN}`)]);
    for (const { body } of receiver.pings) expectVisible(body);
  });

  it("of a role stands in an error as one line", async () => {
    const backup = await visible("backup");
    expect(backup.code, backup.stderr).toBe(0);
    const elsewhere = await startPostgres();
    try {
      await emptyDatabase(elsewhere, "target");
      sandbox.environment.TARGET_URL = elsewhere.url("target");
      const restore = await visible("restore", "--to", "env:TARGET_URL");
      expect([restore.code, restore.stderr]).toEqual([
        2,
        expect.stringContaining(`what is in the backup: ${SHOWN}.\n`),
      ]);
      expect(restore.stderr.match(/^Fix: /gm)).toHaveLength(1);
    } finally {
      await elsewhere.stop();
    }
  });

  it("of a database that is not there stands in an error as one line, and in a monitor's message", async () => {
    sandbox.environment.APP_URL = postgres.url(`no ${EVIL}`);
    const { code, stderr } = await visible("backup");
    expect([code, stderr]).toEqual([4, expect.stringContaining(`database "no ${SHOWN.slice(0, 20)}`)]);
    const [message] = receiver.pings.filter(({ signal }) => signal === "fail");
    expectVisible(message?.body ?? "");
    expect(message?.body).toContain(SHOWN.slice(0, 20));
    const { stdout } = await visible("doctor");
    expect(stdout).toContain(SHOWN.slice(0, 20));
  });
});

describe("the log", () => {
  const redactor = new Redactor();
  redactor.add("a-secret\u001b[2Jof-ours");

  it("is exact JSON, without such characters", async () => {
    const output = new PassThrough({ encoding: "utf8" });
    const log = await openLog({ level: "info", base: {}, redactor, output });
    log.write("warn", EVIL, { [EVIL]: [EVIL], secret: "a-secret\u001b[2Jof-ours" });
    const line = String(output.read());
    expectVisible(line);
    expect(JSON.parse(line)).toMatchObject({ msg: EVIL, [EVIL]: [EVIL], secret: "[redacted]" });
  });

  it("has only its own colours on a terminal, and only its own lines", async () => {
    let text = "";
    const output = Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          text += chunk.toString();
          done();
        },
      }),
      { isTTY: true, columns: 200 },
    );
    const log = await openLog({ level: "info", base: {}, redactor, output });
    log.write("warn", EVIL, { [EVIL]: EVIL });
    log.status(EVIL);
    expectVisible(stripVTControlCharacters(text));
    expect(text).not.toContain("\u001b[2J");
    expect(text.split(SHOWN)).toHaveLength(5);
  });
});
