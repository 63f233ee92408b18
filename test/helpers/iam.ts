import { runSimulation, type Simulation } from "@cloud-copilot/iam-simulate";

/** What somebody tries. */
export interface Attempted {
  /** The ARN of a role. */
  readonly principal: string;
  /** The policy of that role. */
  readonly policy: unknown;
  readonly action: string;
  readonly resource: string;
  /** The policy of the resource. Default: none. */
  readonly resourcePolicy?: unknown;
  /** The account that has the resource. Default: the principal's own. */
  readonly owner?: string;
  readonly context?: Readonly<Record<string, string | string[]>>;
}

/** The account of the tests. */
export const ACCOUNT = "123456789012";

/** The policy of an administrator. */
export const EVERYTHING = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };

/** Whether IAM allows an attempt, by the simulator of Cloud Copilot. */
export async function isAllowed(attempted: Attempted): Promise<boolean> {
  const { principal, policy, action, resource, resourcePolicy, owner = ACCOUNT, context = {} } = attempted;
  const everything = [{ name: "everything", policy: EVERYTHING }];
  const simulation: Simulation = {
    request: {
      principal,
      action,
      resource: { resource, accountId: owner },
      // What AWS itself adds to every request of an identity of the account.
      contextVariables: {
        "aws:PrincipalArn": principal,
        "aws:PrincipalAccount": principal.split(":")[4] ?? "",
        "aws:SecureTransport": "true",
        ...context,
      },
    },
    identityPolicies: [{ name: "own", policy }],
    serviceControlPolicies: [{ orgIdentifier: "o-1", policies: everything }],
    resourceControlPolicies: [],
    ...(resourcePolicy !== undefined && { resourcePolicy }),
  };
  const result = await runSimulation(withoutEncryptionContext(simulation), {});
  if (result.resultType === "error") throw new Error(`${action}: ${JSON.stringify(result.errors)}`);
  return result.overallResult === "Allowed";
}

/**
 * The simulator drops the context of an encryption, whose keys have an end that anybody may choose. The tag of a principal,
 * which it knows and which the operators treat alike, stands for it.
 */
function withoutEncryptionContext(simulation: Simulation): Simulation {
  const text = JSON.stringify(simulation).replaceAll("kms:EncryptionContext:", "aws:PrincipalTag/");
  return JSON.parse(text) as Simulation;
}
