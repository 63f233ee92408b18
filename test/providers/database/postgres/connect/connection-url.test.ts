import { describe, expect, it } from "vitest";
import { parseConnectionUrl } from "../../../../../providers/database/postgres/connect/connection-url.ts";
import { ProviderError } from "../../../../../providers/errors.ts";

const base = {
  hosts: [{ host: "db", port: 5432 }],
  user: "u",
  password: undefined,
  database: "u",
  sslMode: undefined,
  sslRootCertificate: undefined,
  sslCertificate: undefined,
  sslKey: undefined,
  channelBinding: "prefer",
  targetSessionAttributes: "any",
  connectTimeoutSeconds: 30,
  options: undefined,
};

describe("a connection URL", () => {
  it.each<[string, object]>([
    ["postgresql://u@db", {}],
    ["postgres://u@db/", {}],
    ["postgresql://u:p@db:5433/app", { password: "p", hosts: [{ host: "db", port: 5433 }], database: "app" }],
    ["postgresql://u:@db", {}],
    [
      "postgresql://u%40x:p%25%3A%40%2F%20%27%22%F0%9F%98%80@db",
      { user: "u@x", database: "u@x", password: "p%:@/ '\"😀" },
    ],
    // A plus sign is no space, and a colon in the password is none between user and password.
    ["postgresql://u:a+b:c?d@db", { password: "a+b:c?d" }],
    ["postgresql://u@db/a%2Fb%20c", { database: "a/b c" }],
    ["postgresql://u@[2001:db8::1]:6000/app", { hosts: [{ host: "2001:db8::1", port: 6000 }], database: "app" }],
    ["postgresql://u@[::1]", { hosts: [{ host: "::1", port: 5432 }] }],
    [
      "postgresql://u@one:1,[::2]:2,three/app",
      {
        hosts: [
          { host: "one", port: 1 },
          { host: "::2", port: 2 },
          { host: "three", port: 5432 },
        ],
        database: "app",
      },
    ],
    ["postgresql://u@/app?host=/run/postgresql", { hosts: [{ host: "/run/postgresql", port: 5432 }], database: "app" }],
    [
      "postgresql://u@%2Frun%2Fpostgresql:5433/app",
      { hosts: [{ host: "/run/postgresql", port: 5433 }], database: "app" },
    ],
    ["postgresql://u@db/app?host=other&port=7&dbname=b", { hosts: [{ host: "other", port: 7 }], database: "b" }],
    ["postgresql:///app?user=u&password=p%26&host=db", { password: "p&", database: "app" }],
    [
      "postgresql://u@/?host=a,b&port=1,2",
      {
        hosts: [
          { host: "a", port: 1 },
          { host: "b", port: 2 },
        ],
      },
    ],
    [
      "postgresql://u@/?host=a,b&port=7",
      {
        hosts: [
          { host: "a", port: 7 },
          { host: "b", port: 7 },
        ],
      },
    ],
    [
      "postgresql://u@db?sslmode=verify-full&sslrootcert=/ca.crt",
      { sslMode: "verify-full", sslRootCertificate: "/ca.crt" },
    ],
    ["postgresql://u@db?sslrootcert=system", { sslMode: "verify-full", sslRootCertificate: "system" }],
    ["postgresql://u@db?ssl=true", { sslMode: "require" }],
    ["postgresql://u@db?sslcert=/c&sslkey=/k", { sslCertificate: "/c", sslKey: "/k" }],
    ["postgresql://u@db?channel_binding=require", { channelBinding: "require" }],
    ["postgresql://u@db?target_session_attrs=read-write", { targetSessionAttributes: "read-write" }],
    ["postgresql://u@db?connect_timeout=5", { connectTimeoutSeconds: 5 }],
    ["postgresql://u@db?options=-c%20search_path%3Dapp", { options: "-c search_path=app" }],
    ["postgresql://u@db?application_name=x&fallback_application_name=y&gssencmode=disable", {}],
  ])("%s is read as libpq reads it", (url, expected) => {
    expect(parseConnectionUrl(url)).toEqual({ ...base, ...expected });
  });

  it.each<[string, RegExp]>([
    ["", /empty/],
    ["host=db user=u password=sekret", /keyword form/],
    ["mysql://u:sekret@db/app", /does not begin with postgresql:/],
    ["postgresql://u:sekret@db/app\n", /white space/],
    ["postgresql://u:sekret%zz@db/app", /password has a %/],
    ["postgresql://u:sekret%0@db/app", /password has a %/],
    ["postgresql://u:sekret%00@db/app", /password has a %/],
    ["postgresql://u:sekret%ff@db/app", /password has a %/],
    ["postgresql://db/app", /no user/],
    ["postgresql://u:sekret@/app", /no host/],
    ["postgresql://u:sekret@a,,b/app", /empty one/],
    ["postgresql://u:sekret@db:0/app", /port/],
    ["postgresql://u:sekret@db:65536/app", /port/],
    ["postgresql://u:sekret@db:x/app", /port/],
    ["postgresql://u:sekret@a,b/app?port=1,2,3", /3 ports for 2 hosts/],
    ["postgresql://u:sekret@[::1/app", /brackets/],
    ["postgresql://u:sekret@db/app?pgbouncer=true", /the parameter pgbouncer belongs to another tool/],
    ["postgresql://u:sekret@db/app?schema=public", /the parameter schema belongs to another tool/],
    ["postgresql://u:sekret@db/app?connection_limit=1", /the parameter connection_limit belongs to another tool/],
    ["postgresql://u:sekret@db/app?service=x", /the parameter service is not supported/],
    ["postgresql://u:sekret@db/app?gssencmode=require", /the parameter gssencmode is not supported/],
    ["postgresql://u:sekret@db/app?sslmode", /one name=value/],
    ["postgresql://u:sekret@db/app?options=-c a=b", /one name=value/],
    ["postgresql://u:sekret@db/app?sslmode=no-verify", /sslmode/],
    ["postgresql://u:sekret@db/app?sslmode=require&sslrootcert=system", /cannot be combined with sslmode=require/],
    ["postgresql://u:sekret@db/app?sslrootcert=ca.crt", /absolute path/],
    ["postgresql://u:sekret@db/app?sslcert=/c", /need each other/],
    ["postgresql://u:sekret@db/app?connect_timeout=soon", /connect_timeout/],
    ["postgresql://u:sekret@db/app?target_session_attrs=any-will-do", /target_session_attrs/],
    // Characters that should have been encoded: the rest of the password turns up in another part of the URL.
    ["postgresql://u:pass@sekret@db/app", /characters that no host's name has|@/],
    ["postgresql://u:pass/sekret@db/app", /port|no user/],
    ["postgresql://u:12/sekret@db/app", /no user/],
    ["postgresql://u:p@db/app?sekret$#=1", /a parameter is not supported/],
  ])("%j is refused without showing the password", (url, message) => {
    let error: unknown;
    try {
      parseConnectionUrl(url);
    } catch (reason) {
      error = reason;
    }
    expect(error).toBeInstanceOf(ProviderError);
    const { code, message: text, fix } = error as ProviderError;
    expect(code).toBe("CONFIG");
    expect(text).toMatch(message);
    expect(fix).toBeTruthy();
    expect(`${text} ${fix ?? ""}`).not.toContain("sekret");
  });
});
