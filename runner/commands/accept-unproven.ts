import { Option } from "commander";

/** Adds the option that lets a backup be used whose signature is missing or wrong. */
export function acceptUnprovenOption(): Option {
  return new Option(
    "--accept-unproven",
    "use the backup although its signature is missing, wrong or of an unknown key: it may be forged",
  ).default(false);
}
