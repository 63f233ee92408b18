/** The account of the default provider, which is moto's own. */
export const SOURCE = "123456789012";

/** The account that an explicit provider takes a role in. */
export const OTHER = "210987654321";

/** That role. */
export const OTHER_ROLE = `arn:aws:iam::${OTHER}:role/deploy`;

/** The region of everything in both. */
export const REGION = "us-east-1";
