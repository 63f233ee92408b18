import { describe, expect, it } from "vitest";
import { CopyCounter } from "../../../../../providers/database/postgres/artifacts/copy-counter.ts";

const SCRIPT = `--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
COPY public.plain (id, text) FROM stdin;
1\tone
2\tCOPY public.plain (id, text) FROM stdin;
3\t\\\\.
\\.

COPY "Odd schema"."a ""b"".c (größe)" ("x y", "FROM stdin;") FROM stdin;
\\N\t\\N
\\.

COPY public.nothing (id) FROM stdin;
\\.

COPY public.no_columns  FROM stdin;


\\.

COPY public."new
line" (id) FROM stdin;
ab
\\.

SELECT pg_catalog.setval('public.plain_id_seq', 3, true);
SELECT pg_catalog.lowrite(0, '\\x434f5059');
`;

const TABLES = [
  { schema: "public", name: "plain", rows: 3 },
  { schema: "Odd schema", name: 'a "b".c (größe)', rows: 1 },
  { schema: "public", name: "nothing", rows: 0 },
  { schema: "public", name: "no_columns", rows: 2 },
  { schema: "public", name: "new\nline", rows: 1 },
];

function count(script: Buffer, pieceSize: number) {
  const counter = new CopyCounter();
  for (let at = 0; at < script.length; at += pieceSize) counter.write(script.subarray(at, at + pieceSize));
  return counter.finish();
}

describe("the rows of a script of pg_restore", () => {
  it.each([1, 2, 3, 5, 7, 64, 1 << 20])("are counted from pieces of %i bytes", (pieceSize) => {
    expect(count(Buffer.from(SCRIPT), pieceSize)).toEqual(TABLES);
  });

  it("are not taken for all where the script ends amid them", () => {
    const cut = SCRIPT.slice(0, SCRIPT.indexOf("2\tCOPY"));
    expect(() => count(Buffer.from(cut), 100)).toThrow("ends amid the rows");
  });

  it("may be as long as they like", () => {
    const row = `${"x".repeat(3_000_000)}\n`;
    const script = `COPY public.long (text) FROM stdin;\n${row.repeat(3)}\\.\n`;
    expect(count(Buffer.from(script), 65_536)).toEqual([{ schema: "public", name: "long", rows: 3 }]);
  });
});
