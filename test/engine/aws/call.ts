/** The access key of the stand-in's default account: it is what no account has. */
const DEFAULT_KEY = "test";

/** Asks the stand-in for AWS something that this project has no SDK for. It checks no signature. */
export async function awsCall<Answer>(
  url: string,
  service: string,
  request: { readonly target: string; readonly body: unknown } | { readonly path: string },
  region = "us-east-1",
  accessKeyId = DEFAULT_KEY,
): Promise<Answer> {
  const response =
    "path" in request
      ? await send(`${url}${request.path}`, service, region, accessKeyId)
      : await send(url, service, region, accessKeyId, {
          headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": request.target },
          body: JSON.stringify(request.body),
        });
  return (await response.json()) as Answer;
}

/** The same of the services that take a form and answer in XML. */
export async function awsQuery(
  url: string,
  service: string,
  parameters: Readonly<Record<string, string>>,
  accessKeyId = DEFAULT_KEY,
): Promise<string> {
  return (await send(url, service, "us-east-1", accessKeyId, { body: new URLSearchParams(parameters) })).text();
}

async function send(
  url: string,
  service: string,
  region: string,
  accessKeyId: string,
  post?: { readonly headers?: Readonly<Record<string, string>>; readonly body: string | URLSearchParams },
): Promise<Response> {
  const credential = `Credential=${accessKeyId}/20260101/${region}/${service}/aws4_request`;
  const Authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=0`;
  const response = await fetch(url, {
    headers: { ...post?.headers, Authorization },
    ...(post !== undefined && { method: "POST", body: post.body }),
  });
  if (!response.ok) throw new Error(`${service}: ${response.status} ${await response.text()}`);
  return response;
}
