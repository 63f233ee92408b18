/** A program for the test of the engine: says a greeting, refuses rude ones. */
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const greeting = config.require("greeting");
if (greeting === "rude") throw new pulumi.RunError("provision:greeting must be polite");
const { names } = config.requireObject<{ names: string[] }>("people");
const command = new local.Command("greet", {
  create: `read line; echo "${greeting} ${names.join(" and ")}, $line"`,
  stdin: config.requireSecretObject<{ text: string }[]>("wishes").apply(([first]) => first?.text ?? ""),
});

export const said = command.stdout;
