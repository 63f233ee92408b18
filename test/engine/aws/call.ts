/** Asks the stand-in for AWS something that this project has no SDK for. It checks no signature. */
export async function awsCall<Answer>(
  url: string,
  service: string,
  request: { readonly target: string; readonly body: unknown } | { readonly path: string },
  region = "us-east-1",
): Promise<Answer> {
  const credential = `Credential=test/20260101/${region}/${service}/aws4_request`;
  const headers = { Authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=0` };
  const response =
    "path" in request
      ? await fetch(`${url}${request.path}`, { headers })
      : await fetch(url, {
          method: "POST",
          headers: { ...headers, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": request.target },
          body: JSON.stringify(request.body),
        });
  if (!response.ok) throw new Error(`${service}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}
