// What a known key is refused for: what each reason means, and what to do. `docs/control-api.md` has the same list.

import type { Schemas } from "../api/client";

export type Reason = Schemas["UsageRefusals"]["reason"];

/** Reasons that are drawn as one: sixteen colours would be none. */
export type Kind = "limit" | "key" | "right" | "request" | "gateway";

export const KINDS: readonly { kind: Kind; label: string }[] = [
  { kind: "limit", label: "Over the limit" },
  { kind: "key", label: "Key not good" },
  { kind: "right", label: "Not allowed" },
  { kind: "request", label: "Request not good" },
  { kind: "gateway", label: "Gateway could not" },
];

type Meaning = { kind: Kind; label: string; about: string };

export const REASONS: Record<Reason, Meaning> = {
  inactive: { kind: "key", label: "Deactivated", about: "The key is switched off, and something still uses it. Activate it, or take it out of that program." },
  expired: { kind: "key", label: "Expired", about: "Its time is over. Move its expiry, or regenerate it." },
  address: { kind: "key", label: "Address not allowed", about: "It came from an address that is not in its list. If you do not know who that was, regenerate it." },
  family: { kind: "key", label: "Key of another kind", about: "It was sent to an API whose clients use keys of the other kind." },
  limited: { kind: "limit", label: "Over the limit", about: "More requests came than its limit allows (429). Programs should wait as Retry-After says." },
  limits_away: { kind: "gateway", label: "Could not be counted", about: "Where limits are counted did not answer, and nothing is let through without (503)." },
  project_required: { kind: "request", label: "No project named", about: "The request has to name a projectId (400)." },
  foreign_project: { kind: "right", label: "Foreign project", about: "It named a project that is not the key's, or does not exist (401)." },
  foreign_organization: { kind: "right", label: "Foreign organization", about: "Its path or X-Org-Slug named another organization." },
  permission: { kind: "right", label: "Permission missing", about: "The route takes a permission that the key does not have (403)." },
  scope: { kind: "right", label: "Scope missing", about: "The route takes a scope that the key does not have (403)." },
  body_too_large: { kind: "request", label: "Body too large", about: "The body was larger than the API accepts (413)." },
  body_incomplete: { kind: "request", label: "Body broke off", about: "The body ended too early, or came too slowly." },
  media_type: { kind: "request", label: "Body of another type", about: "The body's type or coding can not be checked (415)." },
  bad_request: { kind: "request", label: "Not well-formed", about: "Query or body could not be read, or named two things where one is needed (400)." },
  unavailable: { kind: "gateway", label: "Gateway could not go on", about: "It was no fault of the client's (503 or 500). Ask who runs the gateway." },
};

/** How many refusals of a kind there are. */
export function refusalsOf(kind: Kind, counts: Schemas["UsageCounts"]): number {
  return counts.refusals.reduce((sum, it) => (REASONS[it.reason].kind === kind ? sum + it.count : sum), 0);
}
