import { AwsBackups, type awsSettings } from "provision";

declare const settings: ReturnType<typeof awsSettings>;
declare const source: string;
// page
const made = new AwsBackups(
  "provision",
  { ...settings, source },
  {
    transformations: [
      ({ type, props, opts }) =>
        type === "aws:cloudwatch/logGroup:LogGroup"
          ? { props: { ...props, deletionProtectionEnabled: true }, opts }
          : undefined,
    ],
  },
);
// end of page
export { made };
