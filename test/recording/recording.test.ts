import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import { failureOf } from "../helpers/failure.ts";
import { findLeaks } from "./find-leaks.ts";
import { readRecords, recorded } from "./record.ts";
import { registerSecret } from "../../tools/services/known-secrets.ts";

/** Set in the run of this file in which it leaks. */
const LEAKING = "PROVISION_TEST_LEAKS";

const secret = (name: string) => registerSecret(name, `${name.replaceAll(" ", "-")} ?&:/\u00fc`);

if (process.env[LEAKING] === "yes") {
  it("shows secrets wherever one can", async () => {
    const server = http.createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await fetch(`${origin}/?token=${encodeURIComponent(secret("one in an address"))}`);
    const id = registerSecret("an id of an upload", "upload-id-of-a-session", "the service names its sessions so");
    const encoded = Buffer.from(secret("one of node:http")).toString("base64url");
    await once(http.get(`${origin}/${encoded}?id=${id}`), "response");
    const broken = http.request(`${origin}/${encodeURIComponent(secret("one of a request that broke"))}`);
    broken.write("x");
    broken.destroy(new Error("broken"));
    await once(broken, "close").catch(() => undefined);
    console.log(secret("one on the console"), id);
    const fix = secret("one in a fix");
    const cause = new Error(`${secret("one in a cause")} is wrong`);
    await failureOf(Promise.reject(new ProviderError("AUTH", `${secret("one in an error")} is wrong`)));
    await failureOf(Promise.reject(new ProviderError("AUTH", "The key is wrong.", { cause, fix })));
    const text = `${secret("one of a program")} Bearer abcdefghijklmnopqrst`;
    const script = `process.stdout.write(${JSON.stringify(text)});`;
    const child = spawn(process.execPath, ["-e", script], { env: recorded({}), stdio: "ignore" });
    await once(child, "close");
    server.closeAllConnections();
    server.close();
  });
} else {
  it("reads what a process recorded that was killed before, while and after it wrote", () => {
    expect(readRecords("")).toEqual([]);
    expect(readRecords('["URL","a"]\n["error","b')).toEqual([
      ["URL", "a"],
      ["output", '["error","b'],
    ]);
    expect(readRecords('["URL","a"]\n')).toEqual([["URL", "a"]]);
  });

  it("fails a file of tests that shows a secret, names each, and shows none itself", { timeout: 120_000 }, async () => {
    const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
    const env = { ...process.env, [LEAKING]: "yes" };
    const child = spawn(process.execPath, [vitest, "run", fileURLToPath(import.meta.url)], { env });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    }
    const [code] = (await once(child, "close")) as [number];
    expect(code, said).toBe(1);
    const places = [
      "URL holds one in an address after",
      "URL holds one of node:http after",
      "URL holds one of a request that broke after",
      "output holds one on the console after",
      "output holds an id of an upload after",
      "error holds one in an error after",
      "error holds one in a cause after",
      "error holds one in a fix after",
      "argument holds one of a program after",
      "output holds one of a program after",
      "output holds an Authorization header after",
    ];
    for (const place of places) expect(said).toContain(place);
    expect(said).not.toContain("URL holds an id of an upload");
    expect(said.match(/1 passed/g), "the tests themselves pass").not.toBeNull();
  });

  it("takes nothing for a secret that is none", () => {
    const known = new Map([["a-secret-of-a-service", { name: "one", inUrlsBecause: undefined }]]);
    expect(findLeaks([["output", "a-secret-of-another-service"]], known)).toEqual([]);
    expect(findLeaks([["URL", "http://host/?uploadId=a-secret"]], known)).toEqual([]);
    expect(findLeaks([["error", "x a-secret-of-a-service"]], known)).toEqual(['error holds one after "x "']);
  });

  it("refuses to look for what is too short to be told from other text", () => {
    expect(() => registerSecret("a word", "test")).toThrow("a word has fewer than 8 characters.");
  });
}
