import { Option } from "commander";

/** Adds the option that lets a backup be used whose signature is missing or wrong. */
export function acceptUnprovenOption(): Option {
  return new Option(
    "--accept-unproven",
    "use the backup although its signature is missing, wrong or of an unknown key: it may be forged",
  ).default(false);
}

/** Adds the option that leaves out the pass in which what is stored is proven. */
export function trustStoreOption(): Option {
  return new Option(
    "--trust-store",
    "read the backup once and not twice: a forged archive then acts before it is found out",
  ).default(false);
}
