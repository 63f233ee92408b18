import { setTimeout as sleep } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { encodingsOf } from "../helpers/encodings-of.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import type { Behaviour, MisbehavingServer } from "../../tools/services/misbehaving-server.ts";
import { SentryIngest } from "../../tools/services/sentry-ingest.ts";
import { WebhookReceiver } from "../../tools/services/webhook-receiver.ts";

const BEHAVIOURS: readonly (Behaviour | "down")[] = ["answer", "slow", "refuse", "fail", "hang", "cut", "down"];

/** What misbehaving services may cost at the end of a run, and a busy machine's part in it, in milliseconds. */
const GRACE_MS = 2_000;
const SLACK_MS = 1_000;

/** The secrets, each of them a marker; the password has what every encoding changes. */
const markers = {
  password: "p/marker+one?of=the&s€crets%20",
  dsnKey: "markertwo0123456789",
  webhookKey: "marker-three-of-the-webhook",
  identity: await generateX25519Identity(),
};

let postgres: Postgres;
let ingest: SentryIngest;
let receiver: WebhookReceiver;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(
    postgres,
    "shop",
    `CREATE TABLE orders AS SELECT generate_series(1, 100) AS n; CREATE ROLE app SUPERUSER LOGIN PASSWORD '${markers.password}'`,
  );
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  ingest = new SentryIngest(markers.dsnKey);
  receiver = new WebhookReceiver(markers.webhookKey);
  await Promise.all([ingest.start(), receiver.start()]);
  const url = `postgres://app:${encodeURIComponent(markers.password)}@127.0.0.1:${postgres.port}/shop`;
  sandbox = new Sandbox(url, {
    schedule: { cron: "0 3 * * *" },
    encryption: { recipients: [await identityToRecipient(markers.identity)], identity: { env: "IDENTITY" } },
    monitor: [
      { kind: "log", metrics: "cloudwatch" },
      { kind: "sentry", dsn: { env: "DSN" } },
      { kind: "webhook", url: { env: "HEARTBEAT" } },
    ],
  });
  Object.assign(sandbox.environment, { DSN: ingest.dsn, HEARTBEAT: receiver.url, IDENTITY: markers.identity });
});
afterEach(async () => {
  sandbox.remove();
  await Promise.all([ingest.stop(), receiver.stop()]);
});

async function misbehave(server: MisbehavingServer, behaviour: Behaviour | "down") {
  if (behaviour === "down") await server.stop();
  else server.behaviour = behaviour;
}

/** Runs a backup that logs all it can. */
const backup = (...args: string[]) => sandbox.run("backup", "--log-level", "debug", ...args);

/** Milliseconds since the run itself was over. */
function sinceItsEnd({ stderr }: Ended): number {
  const [, time = ""] = /"time":"([^"]+)"[^\n]*"msg":"run: (?:ok|error)"/.exec(stderr) ?? [];
  return Date.now() - Date.parse(time);
}

/** All that left the process, but the places where a key has to stand: the address of a request, and Sentry's own header. */
function everythingThatLeft({ stdout, stderr }: Ended): string {
  const requests = [...ingest.received, ...receiver.received].map(({ headers, body }) => {
    const text = body.toString().replaceAll(`"public_key":"${markers.dsnKey}"`, "");
    return `${JSON.stringify(headers)}\n${text}`;
  });
  return [stdout, stderr, ...requests].join("\n");
}

function expectNoMarker(ended: Ended) {
  const left = everythingThatLeft(ended);
  for (const [name, marker] of Object.entries(markers)) {
    const found = encodingsOf(marker).filter(({ trace }) => left.includes(trace));
    expect(found, name).toEqual([]);
  }
}

describe("whatever the services do,", () => {
  it.each(BEHAVIOURS)("a good run ends with 0 and in time where they would %s", async (behaviour) => {
    await Promise.all([misbehave(ingest, behaviour), misbehave(receiver, behaviour)]);
    const ended = await backup();
    expect(sinceItsEnd(ended)).toBeLessThan(GRACE_MS + SLACK_MS);
    expect(ended.code, ended.stderr).toBe(0);
    expectNoMarker(ended);
  });

  it.each(BEHAVIOURS)(
    "a run that fails with secrets on its tongue keeps them where they would %s",
    async (behaviour) => {
      await Promise.all([misbehave(ingest, behaviour), misbehave(receiver, behaviour)]);
      // A pg_dump that tells all it knows in every form.
      const tell = 'secret=$(cat "$PGPASSFILE" 2>/dev/null; echo "$PGPASSWORD"); echo "error: $secret" >&2';
      const encoded = 'printf "error: %s" "$secret" | base64 -w0 >&2; echo " error: ~$PGPASSWORD~" | base64 -w0 >&2';
      sandbox.replaceClient("pg_dump", postgres.binDirectory, `${tell}; ${encoded}; exit 1`);
      const ended = await backup("--json");
      expect(sinceItsEnd(ended)).toBeLessThan(GRACE_MS + SLACK_MS);
      expect(ended.code, ended.stderr).toBe(4);
      expectNoMarker(ended);
    },
  );

  it.each<Behaviour>(["answer", "hang"])("an interrupted run ends with 143 where they would %s", async (behaviour) => {
    await Promise.all([misbehave(ingest, behaviour), misbehave(receiver, behaviour)]);
    sandbox.replaceClient("pg_dump", postgres.binDirectory, `exec sleep 20`);
    const running = sandbox.start("backup");
    while (ingest.received.length === 0) await sleep(10);
    await sleep(300);
    running.child.kill("SIGTERM");
    const ended = await running.ended;
    expect(sinceItsEnd(ended)).toBeLessThan(GRACE_MS + SLACK_MS);
    expect(ended.code, ended.stderr).toBe(143);
    expectNoMarker(ended);
  });
});

describe("one monitor that fails does not silence the others:", () => {
  it.each<Behaviour | "down">(["refuse", "hang", "down"])("Sentry that would %s", async (behaviour) => {
    await misbehave(ingest, behaviour);
    const ended = await backup();
    expect(ended.code, ended.stderr).toBe(0);
    expect(receiver.pings.map(({ signal }) => signal)).toEqual(["start", "success"]);
    expect(ended.stderr).toContain('"RunSucceeded":1');
    expect(ended.stderr).toMatch(/"monitor":"sentry".*Sentry did not take all/);
  });

  it.each<Behaviour | "down">(["refuse", "hang", "down"])("a webhook that would %s", async (behaviour) => {
    await misbehave(receiver, behaviour);
    const ended = await backup();
    expect(ended.code, ended.stderr).toBe(0);
    expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "ok"]);
    expect(ingest.refusals).toEqual([]);
    expect(ended.stderr).toContain('"RunSucceeded":1');
  });
});
