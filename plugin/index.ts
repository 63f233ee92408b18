import { componentProviderHost } from "@pulumi/pulumi/provider/experimental/index.js";
import { AwsBackup } from "./aws-backup.ts";
import { HostBackup } from "./host-backup.ts";

// The folder's package.json says name and version; the schema of what is here comes from the classes' types and docstrings.
void componentProviderHost({
  name: "provision",
  dirname: import.meta.dirname,
  components: [AwsBackup, HostBackup],
});
