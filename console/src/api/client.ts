// The API's client, typed by the document of the gateway that serves it. The session is in cookies that no script can read.

import type { components, paths } from "./schema";
import { Refusal, refusal, unreachable } from "./refusal";
import createClient from "openapi-fetch";

export type Schemas = components["schemas"];

/** The organization that calls of the `ocore` dialect are for, and what to do when nobody is signed in any more. */
export const context: { organization: string | undefined; signedOut: () => void } = {
  organization: undefined,
  signedOut: () => {},
};

/** A 401 of these is about what was sent, not about the session. */
const WITHOUT_SESSION = /^\/api\/auth\/(login|login\/2fa|refresh|logout|signup|forgot-password|reset-password)$/;

/** This is refused with 401 for a wrong token too: sent again, it would count as wrong twice. */
const WITH_TOKEN = "/api/auth/invitations/accept";

/** Calls the API by its document: `client.GET("/api/auth/me")`. `ask` makes of it a value or a `Refusal`. */
export const client = createClient<paths>({
  baseUrl: location.origin,
  credentials: "same-origin",
  fetch: (request) => call(request),
});

client.use({
  onRequest({ request }) {
    if (context.organization !== undefined) request.headers.set("X-Org-Slug", context.organization);
  },
});

/** The value that a call was answered with.
 * @throws {Refusal} where it was refused, or not answered */
export async function ask<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  let answered;
  try {
    answered = await answer;
  } catch (fault) {
    throw fault instanceof DOMException && fault.name === "AbortError" ? fault : unreachable();
  }
  if (!answered.response.ok) throw refusal(answered.response, answered.error);
  // Where an answer has no content, nobody uses the value.
  return answered.data as NonNullable<T>;
}

/** Whatever went wrong, as something that can be shown. */
export function shown(fault: unknown): Refusal {
  if (fault instanceof Refusal) return fault;
  console.error(fault);
  return new Refusal(0, "The console has a fault of its own. Reload the page, and report it if it stays.");
}

async function call(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  const again = request.clone();
  const answer = await fetch(request);
  if (answer.status !== 401 || WITHOUT_SESSION.test(path)) return answer;
  const session = await renew();
  if (session === "over") context.signedOut();
  const refusedForItself = session === "good" && path === WITH_TOKEN;
  return session === "over" || refusedForItself ? answer : fetch(again);
}

/** What became of the session: it needed nothing, it goes on with new tokens, or it is over. */
type Renewal = "good" | "renewed" | "over";

let renewing: Promise<Renewal> | undefined;

/** A refresh token is good once, and showing it twice ends the session: one call, and one window, at a time. */
function renew(): Promise<Renewal> {
  return (renewing ??= alone().finally(() => {
    renewing = undefined;
  }));
}

async function alone(): Promise<Renewal> {
  // Browsers have no locks for pages that come without TLS, outside loopback: then windows do not wait for each other.
  return "locks" in navigator ? navigator.locks.request("refresh", refresh) : refresh();
}

async function refresh(): Promise<Renewal> {
  // Another window may have been first.
  const now = await fetch("/api/auth/me");
  if (now.ok) return "good";
  const answer = await fetch("/api/auth/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  return answer.ok ? "renewed" : "over";
}
