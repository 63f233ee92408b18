/** What the names of the IANA database begin with, as far as they have more than one part. */
const AREAS =
  "Africa America Antarctica Arctic Asia Atlantic Australia Brazil Canada Chile Etc Europe Indian Mexico Pacific US".split(
    " ",
  );

/**
 * What is wrong with a time zone, as what would be right; undefined where nothing is. systemd, cron and AWS take the names of
 * the IANA database alone, spelt as there, whereas JavaScript knows offsets too and ignores the case.
 */
export function timeZoneFault(zone: string): string | undefined {
  const known = canonical(zone);
  if (known === undefined) return "expected a time zone of the IANA database";
  if (/^[+-]/.test(zone)) {
    return "expected a time zone of the IANA database, not an offset (there Etc/GMT-3 is 3 hours ahead of UTC)";
  }
  if (known === zone) return undefined;
  // Another name for that zone, which has no spelling to compare with.
  const isAlias = known.toLowerCase() !== zone.toLowerCase();
  if (isAlias && isSpeltLikeAlias(zone)) return undefined;
  return `expected a time zone of the IANA database, spelt as there, ${isAlias ? "for instance Asia/Kolkata" : known}`;
}

function canonical(zone: string): string | undefined {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** `US/Eastern`, `Asia/Kolkata`, `EST5EDT`, `Zulu`: each part begins with a capital, and only abbreviations have no others. */
function isSpeltLikeAlias(zone: string): boolean {
  const parts = zone.split("/");
  const [area = ""] = parts;
  return (parts.length === 1 || AREAS.includes(area)) && parts.every((part) => /^[A-Z](?![A-Z]{4})/.test(part));
}
