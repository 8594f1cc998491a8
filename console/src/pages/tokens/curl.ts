// A call that shows what a key opens.

/** Lists the projects that a token opens: the gateway answers it itself, whatever lies behind it. */
export function curlOfToken(value: string, edge: string): string {
  return `curl -H 'X-API-Key: ${value}' ${edge}/v1/openapi/projects`;
}

/** Asks for what a key may look at: such paths belong to the services behind the gateway. */
export function curlOfKey(permissions: readonly string[]): (value: string, edge: string) => string {
  const resource = permissions.map((it) => it.split(":")[1]).find((it) => it !== undefined && it !== "*") ?? "servers";
  return (value, edge) => `curl -H 'Authorization: Bearer ${value}' ${edge}/api/${resource}`;
}

/** Where clients connect, as far as can be known here: the first of the gateway's listeners. Names that lead to it, and what stands
 *  before it, it does not know: so people can put another address in its place. */
export async function edge(): Promise<string> {
  const usual = `https://${location.hostname}`;
  const answer = await fetch("/metrics").catch(() => undefined);
  if (!answer?.ok) return usual;
  const named = (await answer.text()).matchAll(/^portcullis_connections\{listener="([^"]+)"\}/gm);
  const addresses = [...named].map(([, address]) => address ?? "");
  const secured = addresses.find((it) => it.endsWith("443"));
  const address = (secured ?? addresses[0])?.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, location.hostname);
  return address === undefined ? usual : `${secured === undefined ? "http" : "https"}://${address}`;
}
