// Pulumi starts a policy pack by require(), which takes this file; Node.js itself then loads the TypeScript of the rules.
import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies.ts";

new PolicyPack("provision", { policies, enforcementLevel: "mandatory" });
