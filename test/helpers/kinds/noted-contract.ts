import { describeDatabaseContract } from "../../contract/database.ts";
import { noted } from "./noted.ts";

describeDatabaseContract("noted", (_postgres, url) =>
  noted.create(noted.schema.parse({ kind: "noted", url: { env: "URL" } }), { secrets: { url } }),
);
