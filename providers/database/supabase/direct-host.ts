import dns from "node:dns/promises";
import type { Connection } from "../postgres/connect/connection-url.ts";

/**
 * What to do where a project's direct host cannot be reached: it has an IPv6 address only, unless the project pays for
 * another, and many networks have no IPv6. Undefined where the trouble must be something else.
 */
export async function directHostFix(connection: Connection): Promise<string | undefined> {
  const { hosts, database } = connection;
  const host = hosts.map((each) => each.host).find((name) => /^db\.[a-z0-9]+\.supabase\.(co|com)$/.test(name));
  if (host === undefined) return undefined;
  const addresses = await addressesOf(host);
  if (addresses?.v4 === true) return undefined;
  const known =
    addresses?.v6 === undefined
      ? `${host} has only an IPv6 address unless the project has the IPv4 add-on.`
      : `${host} has only an IPv6 address (${addresses.v6}), which this machine does not reach.`;
  const reference = projectReference(connection) ?? "<ref>";
  return (
    `${known} Use the session pooler, which has IPv4: postgresql://postgres.${reference}:<password>@aws-<n>-<region>.pooler.supabase.com:5432/` +
    `${database} (the dashboard's Connect button shows it); or give this machine IPv6.`
  );
}

/** Milliseconds for an answer of DNS. */
const DNS_TIMEOUT_MS = 2_000;

/** The addresses of a host in DNS; undefined where it has none. The hosts file of the operating system is not read. */
async function addressesOf(host: string): Promise<{ v4: boolean; v6: string | undefined } | undefined> {
  // A person waits for an error that is already known: a silent name service must not delay it for long.
  const resolver = new dns.Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 });
  resolver.setServers(dns.getServers());
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  if (four.status === "rejected" && six.status === "rejected") return undefined;
  return { v4: four.status === "fulfilled", v6: six.status === "fulfilled" ? six.value[0] : undefined };
}

/** The name of a hosted project in a direct host's name, or in the user's name for a pooler. */
export function projectReference({ hosts, user }: Connection): string | undefined {
  const direct = hosts.map(({ host }) => /^db\.([a-z0-9]+)\.supabase\.(?:co|com)$/.exec(host)?.[1]);
  return direct.find((found) => found !== undefined) ?? /^[^.]+\.([a-z0-9]+)$/.exec(user)?.[1];
}
