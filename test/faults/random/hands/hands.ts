import type { Invocation } from "../invocation.ts";
import { shadowingFunctions, tableOwner } from "./foreign-code.ts";
import { forgedArchive } from "./forged-archive.ts";
import { forgedDocuments, makeRows } from "./forged-documents.ts";
import type { Hand, Reach } from "./hand.ts";
import { holdDuringPrune } from "./hold.ts";
import { oddSettings } from "./odd-settings.ts";
import { twoHosts } from "./two-hosts.ts";

/** What a hand does before the first backup: it changes the database, and is there for every command. */
export async function handBefore(reach: Reach): Promise<Hand | undefined> {
  switch (reach.scenario.fault.name) {
    case "odd settings":
      return oddSettings(reach);
    case "shadowing functions":
      return shadowingFunctions(reach);
    case "table owner":
      return tableOwner(reach);
    case "forged record":
      await makeRows(reach);
      return undefined;
    default:
      return undefined;
  }
}

/** What a hand does between the backups and the struck command. */
export async function handBetween(
  reach: Reach,
  waitForMoment: (running: Invocation) => Promise<boolean>,
): Promise<Hand | undefined> {
  switch (reach.scenario.fault.name) {
    case "forged archive":
      return forgedArchive(reach);
    case "forged manifest":
    case "old manifest":
    case "forged record":
      return forgedDocuments(reach);
    case "two hosts":
      return twoHosts(reach, waitForMoment);
    case "hold during prune":
      return holdDuringPrune(reach);
    default:
      return undefined;
  }
}
