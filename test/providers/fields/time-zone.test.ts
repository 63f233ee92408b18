import { expect, it } from "vitest";
import { timeZoneFault } from "../../../providers/fields/time-zone.ts";

it.each([
  ...["UTC", "Europe/Berlin", "America/Port-au-Prince", "America/Port_of_Spain", "America/Indiana/Knox", "Etc/GMT+3"],
  // Other names for a zone, of which JavaScript tells only the one that it goes by.
  ...["Asia/Kolkata", "Europe/Kyiv", "US/Eastern", "EST5EDT", "Etc/UTC", "GB", "Zulu"],
])("takes %s", (zone) => {
  expect(timeZoneFault(zone)).toBeUndefined();
});

it.each([
  ["Europe/Berln", "expected a time zone of the IANA database"],
  ["", "expected a time zone of the IANA database"],
  ["+03:00", "expected a time zone of the IANA database, not an offset (there Etc/GMT-3 is 3 hours ahead of UTC)"],
  ["-0530", "expected a time zone of the IANA database, not an offset (there Etc/GMT-3 is 3 hours ahead of UTC)"],
  ["europe/berlin", "expected a time zone of the IANA database, spelt as there, Europe/Berlin"],
  ["utc", "expected a time zone of the IANA database, spelt as there, UTC"],
  ["asia/kolkata", "expected a time zone of the IANA database, spelt as there, for instance Asia/Kolkata"],
  ["ASIA/KOLKATA", "expected a time zone of the IANA database, spelt as there, for instance Asia/Kolkata"],
  ["Asia/KOLKATA", "expected a time zone of the IANA database, spelt as there, for instance Asia/Kolkata"],
  ["zulu", "expected a time zone of the IANA database, spelt as there, for instance Asia/Kolkata"],
])("refuses %j", (zone, fault) => {
  expect(timeZoneFault(zone)).toBe(fault);
});
