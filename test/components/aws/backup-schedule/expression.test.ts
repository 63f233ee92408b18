import { describe, expect, it } from "vitest";
import { scheduleExpression } from "../../../../components/aws/backup-schedule/expression.ts";

describe("scheduleExpression", () => {
  it.each([
    ["0 3 * * *", "cron(0 3 * * ? *)"],
    ["*/15 * * * *", "cron(0,15,30,45 * * * ? *)"],
    ["30 1,2,3,7 * * *", "cron(30 1-3,7 * * ? *)"],
    ["0 0 1 * *", "cron(0 0 1 * ? *)"],
    ["0 0 1-15,31 jan-mar,12 *", "cron(0 0 1-15,31 1-3,12 ? *)"],
    // Weekdays: cron's Sunday is 0 or 7, that of AWS is 1.
    ["0 0 * * 0", "cron(0 0 ? * 1 *)"],
    ["0 0 * * 7", "cron(0 0 ? * 1 *)"],
    ["0 0 * * sat", "cron(0 0 ? * 7 *)"],
    ["0 0 * * mon-fri", "cron(0 0 ? * 2-6 *)"],
    ["0 0 * * 5-7", "cron(0 0 ? * 1,6-7 *)"],
    ["0 0 */2 * *", "cron(0 0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * ? *)"],
    // Days that match either field are all days where one of them names all.
    ["0 0 1-31 * 1", "cron(0 0 * * ? *)"],
    ["0 0 1 * 0-6", "cron(0 0 * * ? *)"],
    ["0 0 * * 0-7", "cron(0 0 * * ? *)"],
  ])("makes of %s %s", (cron, expression) => {
    expect(scheduleExpression(cron)).toBe(expression);
  });

  it("keeps within what AWS takes where every other number is named", () => {
    const everyOther = "*/2 */2 */2 */2 *";
    expect(scheduleExpression(everyOther).length).toBeLessThanOrEqual(256);
  });

  it.each([
    ["0 0 1 * 1", 'it names days of the month ("1") and days of the week ("1")'],
    ["0 0 */2 * mon", 'it names days of the month ("*/2") and days of the week ("mon")'],
  ])("refuses %s, which restricts both fields of days", (cron, message) => {
    expect(() => scheduleExpression(cron)).toThrow(
      `${message}, which EventBridge Scheduler cannot; write * for one of the two`,
    );
  });

  it("refuses what is no cron", () => {
    expect(() => scheduleExpression("0 25 * * *")).toThrow('the hour "25" is out of range');
  });
});
