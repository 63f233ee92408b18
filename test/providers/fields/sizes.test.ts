import { expect, it } from "vitest";
import { counted } from "../../../providers/fields/sizes.ts";

it.each([
  [0, "file", "0 files"],
  [1, "file", "1 file"],
  [2, "file", "2 files"],
  [1, "policy", "1 policy"],
  [2, "policy", "2 policies"],
  [3, "day", "3 days"],
  [2, "index", "2 indexes"],
  [1, "entry", "1 entry"],
  [1200, "entry", "1,200 entries"],
])("%d %s is %s", (count, noun, words) => {
  expect(counted(count, noun)).toBe(words);
});
