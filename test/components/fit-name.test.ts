import { expect, it } from "vitest";
import { fitName } from "../../components/fit-name.ts";

it("leaves a name that fits with what is added to it", () => {
  expect(fitName("a".repeat(54), 64)).toBe("a".repeat(54));
});

it("cuts a longer one, and tells it from others", () => {
  const [one, other] = [fitName(`${"a".repeat(60)}-x`, 64), fitName(`${"a".repeat(60)}-y`, 64)];
  expect(one).toMatch(/^a{45}-[0-9a-f]{8}$/);
  expect(other).not.toBe(one);
  expect(fitName(`${"a".repeat(40)}-----${"b".repeat(20)}`, 64)).toMatch(/^a{40}-[0-9a-f]{8}$/);
});
