import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { StateMachine } from "aws-local-stepfunctions";

/** What Terraform's provider asks before and after it makes a state machine, and moto does not answer. */
const VALIDATE = "AWSStepFunctions.ValidateStateMachineDefinition";
const VERSIONS = "AWSStepFunctions.ListStateMachineVersions";

/** An endpoint of Step Functions: moto's, with the check of a definition and the list of versions that it lacks. */
export async function startStepFunctions(moto: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      const target = request.headers["x-amz-target"];
      response.setHeader("content-type", "application/x-amz-json-1.0");
      if (target === VALIDATE) {
        response.end(JSON.stringify(checked((JSON.parse(body.toString()) as { definition: string }).definition)));
        return;
      }
      if (target === VERSIONS) {
        response.end(JSON.stringify({ stateMachineVersions: [] }));
        return;
      }
      const { authorization = "" } = request.headers;
      const answer = await fetch(moto, {
        method: "POST",
        headers: { authorization, "x-amz-target": String(target), "content-type": "application/x-amz-json-1.0" },
        body: new Uint8Array(body),
      });
      response.statusCode = answer.status;
      response.end(Buffer.from(await answer.arrayBuffer()));
    })().catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = once(server, "close");
      server.closeAllConnections();
      server.close();
      await closed;
    },
  };
}

/** What AWS answers about a definition. */
function checked(definition: string) {
  try {
    new StateMachine(JSON.parse(definition) as ConstructorParameters<typeof StateMachine>[0]);
    return { result: "OK", diagnostics: [], truncated: false };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const diagnostics = [{ severity: "ERROR", code: "SCHEMA_VALIDATION_FAILED", message }];
    return { result: "FAIL", diagnostics, truncated: false };
  }
}
