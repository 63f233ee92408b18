import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { registerSecret } from "../../tools/services/known-secrets.ts";
import type { Postgres } from "../../tools/postgres.ts";
import { tokenFault, type TokenRules } from "./rds-token.ts";

/** Codes in the place of the protocol's version. */
const SSL_REQUEST = 80877103;
const CANCEL_REQUEST = 80877102;

/** A connection that somebody asked for. */
export interface Login {
  readonly user: string;
  readonly database: string;
  readonly application: string;
  readonly token: string;
  /** What is wrong with the token; undefined where it was let in. */
  readonly fault: string | undefined;
}

/**
 * A PostgreSQL that lets in who shows a valid token and nobody else, over TLS alone, as RDS does: it asks for the password in clear, as PAM
 * does, checks it, and passes the connection on to a server that trusts this machine.
 */
export class TokenServer {
  readonly logins: Login[] = [];
  /** Milliseconds for which the next connection that is let in stays silent. */
  stallNextMs = 0;
  readonly #postgres: Postgres;
  readonly #rules: TokenRules;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(postgres: Postgres, rules: TokenRules) {
    this.#postgres = postgres;
    this.#rules = rules;
    this.#server = createServer((socket) => {
      this.#keep(socket);
      this.#serve(socket).catch(() => socket.destroy());
    });
  }

  /** @param postgres with `tls`, whose certificate for `localhost` this server shows as well */
  static async start(postgres: Postgres, rules: TokenRules): Promise<TokenServer> {
    const server = new TokenServer(postgres, rules);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get endpoint(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  url(user: string, database: string): string {
    return `postgresql://${user}@${this.endpoint}/${database}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => this.#sockets.delete(socket));
  }

  async #serve(plain: Socket): Promise<void> {
    const request = await firstMessage(plain);
    if (request.readInt32BE(4) !== SSL_REQUEST) {
      plain.end(refusal("no pg_hba.conf entry for this connection, no encryption"));
      return;
    }
    plain.write("S");
    const file = (name: string): Buffer => readFileSync(join(this.#postgres.directory, name));
    const client = new TLSSocket(plain, { isServer: true, key: file("server.key"), cert: file("server.crt") });
    this.#keep(client);
    const startup = await firstMessage(client);
    if (startup.readInt32BE(4) === CANCEL_REQUEST) {
      connect(this.#postgres.port, "127.0.0.1").end(startup);
      return;
    }
    const parameters = parametersOf(startup);
    const { user = "", database = user } = parameters;
    client.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 3])); // AuthenticationCleartextPassword
    const token = (await passwordMessage(client)).toString();
    const signature = /X-Amz-Signature=(\w+)/.exec(token)?.[1];
    if (signature !== undefined) registerSecret("a token's signature", signature);
    const fault = tokenFault(token, this.endpoint, user, this.#rules);
    this.logins.push({ user, database, application: parameters.application_name ?? "", token, fault });
    if (fault !== undefined) {
      client.end(refusal(`PAM authentication failed for user "${user}"`));
      return;
    }
    const stall = this.stallNextMs;
    this.stallNextMs = 0;
    await delay(stall);
    const server = connect(this.#postgres.port, "127.0.0.1");
    this.#keep(server);
    server.write(startup);
    server.pipe(client).pipe(server);
    for (const [one, other] of [
      [server, client],
      [client, server],
    ] as const) {
      one.on("close", () => other.destroy());
    }
  }
}

/** The first message, which has no type: its length, then its content. */
async function firstMessage(socket: Socket): Promise<Buffer> {
  const length = (await exactly(socket, 4)).readInt32BE();
  const rest = await exactly(socket, length - 4);
  return Buffer.concat([Buffer.from([0, 0, length >> 8, length & 255]), rest]);
}

async function passwordMessage(socket: Socket): Promise<Buffer> {
  const head = await exactly(socket, 5);
  const content = await exactly(socket, head.readInt32BE(1) - 4);
  return content.subarray(0, -1);
}

async function exactly(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const piece = socket.read(length) as Buffer | null;
    if (piece?.length === length) return piece;
    if (socket.readableEnded || socket.destroyed) throw new Error("The connection ended.");
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off("readable", done).off("end", done).off("close", done);
        resolve();
      };
      socket.on("readable", done).on("end", done).on("close", done);
    });
  }
}

function parametersOf(startup: Buffer): Record<string, string> {
  const texts = startup.subarray(8).toString().split("\0");
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < texts.length && texts[index] !== ""; index += 2) {
    pairs.push([texts[index] ?? "", texts[index + 1] ?? ""]);
  }
  return Object.fromEntries(pairs);
}

/** An ErrorResponse as RDS sends it. */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C28000\0M${message}\0\0`);
  const head = Buffer.alloc(5, "E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
