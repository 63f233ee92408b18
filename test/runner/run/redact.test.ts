import { describe, expect, it } from "vitest";
import { Redactor } from "../../../runner/run/redact.ts";

const SECRET = 'pä"ss\\w/+?&=%rd\n☃ 100';

function redactor(...secrets: string[]): Redactor {
  const made = new Redactor();
  for (const secret of secrets) made.add(secret);
  return made;
}

describe("a secret is taken out", () => {
  const { redact } = { redact: (text: string) => redactor(SECRET).redact(text) };

  it.each<[string, string]>([
    ["as it is", SECRET],
    ["inside JSON", JSON.stringify({ a: SECRET }).slice(6, -2)],
    ["URL-encoded", encodeURIComponent(SECRET)],
    ["URL-encoded as a whole", encodeURI(SECRET)],
  ])("%s", (_name, form) => {
    expect(redact(`before ${form} after ${form}`)).toBe("before [redacted] after [redacted]");
  });

  it.each([0, 1, 2, 3, 4, 5])("in base64 that begins %i bytes earlier", (shift) => {
    for (const behind of ["", "z", "zz", "zzz"]) {
      const text = Buffer.from("x".repeat(shift) + SECRET + behind);
      for (const encoded of [text.toString("base64"), text.toString("base64url")]) {
        const redacted = redact(encoded);
        expect(redacted).toContain("[redacted]");
        // What is left holds fewer than two of its bytes on either side.
        const left = redacted.split("[redacted]");
        expect(left[0]?.length).toBeLessThanOrEqual(Math.ceil((shift * 4) / 3) + 2);
        expect(left[1]?.replaceAll("=", "").length).toBeLessThanOrEqual(Math.ceil((behind.length * 4) / 3) + 3);
      }
    }
  });

  it("also without the white space around it", () => {
    expect(redactor("  hunter2-hunter2\n").redact("it was hunter2-hunter2.")).toBe("it was [redacted].");
  });

  it("the longest first, where one is a part of another", () => {
    expect(redactor("hunter", "hunter2-hunter2").redact("hunter2-hunter2 and hunter")).toBe(
      "[redacted] and [redacted]",
    );
  });

  it("whatever it means in a pattern", () => {
    for (const secret of ["a.*b+c", "[abc](d)", "^${x}|y$", "back\\slash"]) {
      expect(redactor(secret).redact(`${secret} a__b`)).toBe("[redacted] a__b");
    }
  });
});

describe("the password of a URL is a secret of its own", () => {
  it.each([
    ["postgresql://app:hunter2-plain@db:5432/app", "hunter2-plain"],
    ["postgresql://app:p%40ss%2Fw%C3%B6rd@db/app", "p@ss/wörd"],
    ["postgresql://app:p%40ss%2Fw%C3%B6rd@db/app", "p%40ss%2Fw%C3%B6rd"],
    ["postgresql://app:with:colons:in@db/app", "with:colons:in"],
    ["postgresql://app:quest?ion#mark@db/app", "quest?ion#mark"],
    ["postgresql://app:100%wrong@db/app", "100%wrong"],
    ["postgresql://app:hunter2-plain@db/app?options=a:b@c", "hunter2-plain"],
    ["postgresql://app:at@sign@db/app", "at@sign"],
    ["postgresql://app@db/app?sslmode=require&password=in%20parameter", "in parameter"],
    ["postgresql://db/app?user=app&password=hunter2-plain", "hunter2-plain"],
    ["https://public:hunter2-plain@sentry.example/1", "hunter2-plain"],
  ])("in %s", (url, password) => {
    expect(redactor(url).redact(`login with ${password} failed`)).toBe("login with [redacted] failed");
    expect(redactor(url).redact(`url ${url}`)).toBe("url [redacted]");
  });
});

describe("a part of a secret is one too:", () => {
  const body = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", "MzEfYyji"];
  const pem = ["-----BEGIN PRIVATE KEY-----", ...body, "-----END PRIVATE KEY-----", ""].join("\n");
  const account = {
    type: "service_account",
    project_id: "backups-of-ours",
    private_key_id: "0123456789abcdef",
    private_key: pem,
    client_email: "backup@backups-of-ours.iam.gserviceaccount.com",
    token_uri: "https://oauth2.googleapis.com/token",
    more: [{ password: "hunter2-hunter2", database: "postgresql://app:s3same-open@db/app" }],
  };

  it.each([
    ["as it is", pem],
    ["with the line ends of Windows", pem.replaceAll("\n", "\r\n")],
  ])("each line of a key %s", (_name, key) => {
    for (const line of body) expect(redactor(key).redact(`line ${line}.`)).toBe("line [redacted].");
    expect(redactor(key).redact("-----BEGIN PRIVATE KEY-----")).toBe("-----BEGIN PRIVATE KEY-----");
  });

  it("but no short line, which is a word", () => {
    expect(redactor("correct\nhorse\nbattery-staple").redact("a horse, battery-staple")).toBe("a horse, [redacted]");
  });

  it.each([
    ["on one line", JSON.stringify(account)],
    ["on several lines", JSON.stringify(account, null, 2)],
  ])("the texts in JSON %s", (_name, secret) => {
    const { private_key_id: id, more } = account;
    const texts = [pem, JSON.stringify(pem).slice(1, -1), pem.trim(), ...body, id];
    for (const text of [...texts, "hunter2-hunter2", more[0]?.database ?? "", "s3same-open"]) {
      expect(redactor(secret).redact(`it is ${text}!`)).toBe("it is [redacted]!");
    }
    expect(redactor(secret).redact(secret)).toBe("[redacted]");
  });

  it("each line of what only looks like JSON", () => {
    expect(redactor('{ "key": "hunter2-hunter2"\n').redact("before {")).toBe("before {");
    expect(redactor("{ half\nhunter2-hunter2").redact("it is hunter2-hunter2")).toBe("it is [redacted]");
  });

  it("but not what says whose it is", () => {
    const whose = [account.type, account.project_id, account.client_email, account.token_uri].join(" ");
    expect(redactor(JSON.stringify(account, null, 2)).redact(whose)).toBe(whose);
  });
});

it("leaves a text without secrets as it is", () => {
  expect(redactor().redact("nothing is secret")).toBe("nothing is secret");
  expect(redactor(SECRET).redact("nothing is secret")).toBe("nothing is secret");
  expect(redactor("a", "", "app").redact("an apple a day")).toBe("an apple a day");
});
