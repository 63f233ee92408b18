import { setTimeout as sleep } from "node:timers/promises";
import { Client, type ConnectConfig } from "ssh2";
import { optionalText, reveal, type Context, type Inputs } from "./resource.ts";

/** The official plugin's defaults: tries, and seconds for each. */
const DIAL_ERROR_LIMIT = 10;
const PER_DIAL_TIMEOUT = 15;

const supported = [
  "host",
  "port",
  "user",
  "password",
  "privateKey",
  "privateKeyPassword",
  "agentSocketPath",
  "hostKey",
  "dialErrorLimit",
  "perDialTimeout",
];

/** Connects by SSH, calls `use` with the connection and ends it. Without a `hostKey` any host's key is accepted. */
export async function withConnection<T>(
  inputs: Inputs,
  context: Context,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = reveal(inputs.connection) as Inputs;
  const refused = Object.keys(connection).find((name) => !supported.includes(name));
  if (refused !== undefined) throw new Error(`the stand-in for the command plugin has no connection.${refused}`);
  const client = await dial(connection, context.signal);
  try {
    return await use(client);
  } finally {
    client.end();
  }
}

async function dial(connection: Inputs, signal: AbortSignal): Promise<Client> {
  const limit = optionalNumber(connection, "dialErrorLimit") ?? DIAL_ERROR_LIMIT;
  for (let failures = 1; ; failures += 1) {
    try {
      return await connect(connection);
    } catch (error) {
      if (limit >= 0 && failures > limit) {
        throw new Error(`after ${failures} failed attempts: ${(error as Error).message}`, { cause: error });
      }
    }
    await sleep(Math.min(100 * 2 ** failures, 10_000), undefined, { signal });
  }
}

function connect(connection: Inputs): Promise<Client> {
  const client = new Client();
  const password = optionalText(connection, "password");
  const hostKey = optionalText(connection, "hostKey");
  const config: ConnectConfig = {
    host: optionalText(connection, "host") ?? "",
    port: optionalNumber(connection, "port") ?? 22,
    username: optionalText(connection, "user") ?? "root",
    readyTimeout: (optionalNumber(connection, "perDialTimeout") ?? PER_DIAL_TIMEOUT) * 1000,
    tryKeyboard: password !== undefined,
    ...given("password", password),
    ...given("privateKey", optionalText(connection, "privateKey")),
    ...given("passphrase", optionalText(connection, "privateKeyPassword")),
    ...given("agent", optionalText(connection, "agentSocketPath") ?? process.env.SSH_AUTH_SOCK),
    ...(hostKey === undefined
      ? {}
      : { hostVerifier: (key: Buffer) => key.toString("base64") === hostKey.split(" ")[1] }),
  };
  return new Promise((resolve, reject) => {
    client.on("keyboard-interactive", (_name, _instructions, _language, prompts, answer) => {
      answer(prompts.map(() => password ?? ""));
    });
    client.on("ready", () => {
      resolve(client);
    });
    client.on("error", reject);
    client.connect(config);
  });
}

function given<K extends string>(name: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined || value === "" ? {} : ({ [name]: value } as Record<K, string>);
}

function optionalNumber(inputs: Inputs, name: string): number | undefined {
  const value = inputs[name];
  if (value === undefined || typeof value === "number") return value;
  throw new Error(`connection.${name} must be a number`);
}
