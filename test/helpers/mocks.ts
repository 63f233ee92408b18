import * as pulumi from "@pulumi/pulumi";

/** A resource as a program registered it. */
export interface RecordedResource {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** A secret input as it goes to the engine. */
interface SecretInput {
  readonly value: unknown;
}

/** The key and value that mark a secret in what goes to the engine. */
const SECRET_KEY = "4dabf18193072939515e22adb298388d";
const SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270";

/** Puts mocks in the engine's place; returns the list that fills up with what is registered. */
export async function mockEngine(
  options: { readonly preview?: boolean; readonly stdout?: (name: string) => string } = {},
): Promise<RecordedResource[]> {
  const recorded: RecordedResource[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const record = inputs as Record<string, unknown>;
        recorded.push({ type, name, inputs: record });
        const stdout = options.stdout?.(name) ?? "";
        return { id: `${name}-id`, state: options.preview === true ? record : { ...record, stdout, stderr: "" } };
      },
      call: () => ({}),
    },
    "provision",
    "dev",
    options.preview ?? false,
  );
  return recorded;
}

/** The value of an output. */
export function unwrap<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply((value) => {
      resolve(value);
    });
  });
}

/** Waits until everything that a component registers is registered. */
export async function registered(...resources: readonly pulumi.Resource[]): Promise<void> {
  await Promise.all(resources.map((resource) => unwrap(resource.urn)));
  await (pulumi.runtime as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
}

/** Whether an input went to the engine as a secret. */
export function isSecret(input: unknown): input is SecretInput {
  return typeof input === "object" && input !== null && (input as Record<string, unknown>)[SECRET_KEY] === SECRET_MARK;
}
