import { expect, it } from "vitest";
import { stagesOf } from "../../../../../providers/database/postgres/restore/parallel-calls.ts";
import { streamOf } from "../../../../helpers/bytes.ts";

const HEAD = ";\n; Archive created at 2026-11-29 12:00:00 UTC\n;     dbname: app\n;\n";

it("sorts an archive's entries around the attachments of its indexes, with privileges last", async () => {
  const list = `${HEAD}12; 1259 16384 TABLE public INDEX ATTACH owner
4000; 0 0 ACL public TABLE events owner
13; 0 16384 TABLE DATA public events owner
14; 1259 16390 INDEX public events_at owner
20; 0 0 INDEX ATTACH public events_2023_at owner
21; 0 0 COMMENT public INDEX "events at" owner
22; 0 0 INDEX ATTACH public événements owner
23; 2606 16400 FK CONSTRAINT public notes notes_fkey owner
24; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES owner
25; 3466 16501 EVENT TRIGGER - frozen owner
`;
  // However the list is cut into pieces.
  for (const size of [1, 7, list.length]) {
    expect(await stagesOf(streamOf(Buffer.from(list), size))).toEqual({
      before: ["12", "13", "14"],
      attachments: ["20", "21", "22"],
      after: ["23", "25", "4000", "24"],
    });
  }
});

it("has all but privileges before, where nothing is attached", async () => {
  const list = `${HEAD}1; 1259 16384 TABLE public t owner\n2; 0 0 ACL public TABLE t owner\n`;
  expect(await stagesOf(streamOf(Buffer.from(list)))).toEqual({ before: ["1"], attachments: [], after: ["2"] });
});
