import { describe, expect, it } from "vitest";
import { archiveRisk } from "../../../../../providers/database/postgres/programs/clients.ts";

describe("archives of the client programs", () => {
  it.each([
    ["15.20", "15.20"],
    ["15.21", "15.20"],
    ["15.18", "15.18"],
    ["15.10", "15.9"],
    ["18beta1", "18.1"],
    ["18beta1", "18beta1"],
    ["17.4", "17.4"],
  ])("of pg_dump %s can be restored into a server %s, as far as is known", (client, server) => {
    expect(archiveRisk(client, server)).toBeUndefined();
  });

  it.each([
    ["17.10", "16.14"],
    ["16.14", "15.20"],
    ["18beta1", "17.4"],
  ])("of pg_dump %s may be refused by a server %s, which has clients of its own version", (client, server) => {
    const major = server.slice(0, 2);
    expect(archiveRisk(client, server)?.detail).toContain(`cannot always be restored into PostgreSQL ${major}`);
    expect(archiveRisk(client, server)?.fix).toContain(`postgresql-client-${major}`);
  });

  it.each([
    ["15.18", "15.20"],
    ["15.9", "15.10"],
    ["16.2", "16.14"],
  ])("of pg_dump %s may lack what a server %s of a later release has", (client, server) => {
    expect(archiveRisk(client, server)?.detail).toContain(`older than the server's release ${server}`);
    expect(archiveRisk(client, server)?.fix).toContain(`PostgreSQL ${server} or newer`);
  });
});
