import type { PolicyStatement } from "../../../providers/config.ts";

/** Secrets that a role reads. */
interface SecretNeeds {
  /** ARNs of the stack's secrets. */
  readonly secretArns: readonly string[];
  /** ARNs of secrets that existed before, as a person wrote them. */
  readonly existingSecretArns: readonly string[];
  /** ARNs of the parameters of Systems Manager. */
  readonly parameterArns: readonly string[];
  /** ARN of the stack's key, which encrypts its secrets. */
  readonly keyArn: string;
  /** ARNs of the keys that encrypt secrets and parameters which existed before, as far as they are not AWS's own. */
  readonly existingKeyArns: readonly string[];
}

/** What ECS needs in order to start the tasks of a job. */
export interface ExecutionNeeds extends SecretNeeds {
  /** ARN of the image's repository; undefined where it is not one of ECR. */
  readonly repositoryArn: string | undefined;
  readonly logGroupArn: string;
}

/** The statements of the role with which ECS pulls the image, reads the secrets and writes the log of a job's tasks. */
export function executionStatements(needs: ExecutionNeeds): PolicyStatement[] {
  return [
    {
      Effect: "Allow",
      Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
      Resource: [`${needs.logGroupArn}:*`],
    },
    ...(needs.repositoryArn === undefined ? [] : pull(needs.repositoryArn)),
    ...secretStatements(needs),
  ];
}

/** The statements of a role that reads secrets and parameters; none where there are none. */
export function secretStatements(needs: SecretNeeds): PolicyStatement[] {
  const secrets = [...needs.secretArns, ...needs.existingSecretArns.flatMap(existingSecret)];
  return [
    ...(secrets.length === 0 ? [] : readSecrets(secrets, [needs.keyArn, ...needs.existingKeyArns])),
    ...(needs.parameterArns.length === 0 ? [] : readParameters(needs.parameterArns, needs.existingKeyArns)),
  ];
}

function pull(repositoryArn: string): PolicyStatement[] {
  return [
    // It names no repository: IAM knows it for all only.
    { Effect: "Allow", Action: ["ecr:GetAuthorizationToken"], Resource: ["*"] },
    {
      Effect: "Allow",
      Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      Resource: [repositoryArn],
    },
  ];
}

function readSecrets(arns: readonly string[], keyArns: readonly string[]): PolicyStatement[] {
  return [
    { Effect: "Allow", Action: ["secretsmanager:GetSecretValue"], Resource: arns },
    {
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: keyArns,
      Condition: { StringLike: { "kms:ViaService": "secretsmanager.*", "kms:EncryptionContext:SecretARN": arns } },
    },
  ];
}

/** A parameter that AWS's own key encrypts needs no permission for that. */
function readParameters(arns: readonly string[], keyArns: readonly string[]): PolicyStatement[] {
  return [
    { Effect: "Allow", Action: ["ssm:GetParameters"], Resource: arns },
    ...(keyArns.length === 0
      ? []
      : [
          {
            Effect: "Allow",
            Action: ["kms:Decrypt"],
            Resource: keyArns,
            Condition: { StringLike: { "kms:ViaService": "ssm.*", "kms:EncryptionContext:PARAMETER_ARN": arns } },
          } as const,
        ]),
  ];
}

/**
 * A reference may end with a JSON key, a stage and a version, which are no part of the secret's ARN, and may lack the six
 * characters that Secrets Manager added to the name. Whether it does cannot be told from the name.
 */
function existingSecret(reference: string): string[] {
  const arn = reference.split(":").slice(0, 7).join(":");
  return [arn, `${arn}-??????`];
}
