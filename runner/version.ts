import description from "../package.json" with { type: "json" };

/** This program's version, as manifests and `--version` name it. */
export const PROGRAM = description.version;
