import * as pulumi from "@pulumi/pulumi";

/** Characters of a reason that are enough to see what AWS refused. */
const REASON = 300;

/**
 * Questions to AWS about what a stack takes over, and what is said of the answers. None of them can fail a deployment: a role that
 * previews need not be allowed to ask, and what is missing now may be there when it is used.
 */
export class Questions {
  /** The region of the stack. */
  readonly region: string;
  /** Options of every call, which bring the provider. */
  readonly opts: pulumi.InvokeOptions;
  readonly #parent: pulumi.Resource;
  readonly #unanswered: { readonly what: string; readonly reason: string }[] = [];

  constructor(region: string, parent: pulumi.Resource) {
    this.region = region;
    this.opts = { parent };
    this.#parent = parent;
  }

  /** Says what was found. */
  warn(message: string): void {
    void pulumi.log.warn(message, this.#parent);
  }

  /**
   * What a question is answered with; undefined where AWS does not answer, which {@link conclude} says.
   *
   * @param what what is asked about, for instance `the VPC vpc-1`
   */
  async ask<T>(what: string, question: () => Promise<T>): Promise<T | undefined> {
    try {
      return await question();
    } catch (error) {
      this.unknown(what, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** Notes that nothing can be known of something. */
  unknown(what: string, reason: string): void {
    this.#unanswered.push({ what, reason: shorten(reason) });
  }

  /** Names in one warning all that AWS did not answer. */
  conclude(): void {
    // In an order that the answers' times do not decide.
    const unanswered = this.#unanswered.toSorted((one, other) => (one.what < other.what ? -1 : 1));
    const [first] = unanswered;
    if (first === undefined) return;
    this.warn(
      `AWS says nothing of ${unanswered.map(({ what }) => what).join(", ")}. Each is missing, or belongs to another account ` +
        `or region, or these credentials may not read it. About ${first.what}: ${first.reason}`,
    );
  }
}

/** A reason on one line, without a stack trace. */
function shorten(text: string): string {
  const lines = text.split("\n").filter((line) => !/^\s+at /.test(line));
  const reason = lines.join(" ").replaceAll(/\s+/g, " ").trim();
  return reason.length > REASON ? `${reason.slice(0, REASON)} …` : reason;
}
