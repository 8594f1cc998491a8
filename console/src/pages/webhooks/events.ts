// The events that a webhook endpoint may be sent, and how states of deliveries are called.

export const EVENTS = [
  { value: "token.created", label: "token.created", hint: "A token was made." },
  { value: "token.updated", label: "token.updated", hint: "What it is called, or may do, was altered." },
  { value: "token.regenerated", label: "token.regenerated", hint: "It has a new value." },
  { value: "token.deactivated", label: "token.deactivated", hint: "It was taken out of service." },
  { value: "token.deleted", label: "token.deleted", hint: "It is gone." },
  { value: "token.expiring", label: "token.expiring", hint: "It is over in 30, 7 or 1 days." },
  { value: "token.first_seen_address", label: "token.first_seen_address", hint: "It is used from an address for the first time." },
  { value: "operation.completed", label: "operation.completed", hint: "An operation has succeeded." },
  { value: "operation.failed", label: "operation.failed", hint: "An operation has failed." },
] as const;

export const STATES = {
  pending: { label: "Pending", kind: "warn" },
  delivered: { label: "Delivered", kind: "good" },
  failed: { label: "Failed", kind: "bad" },
} as const;

/** What is wrong with an address to send to, as far as it can be seen. */
export function urlFault(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  try {
    return ["https:", "http:"].includes(new URL(text.trim()).protocol) ? undefined : "It begins with https://.";
  } catch {
    return "This is no address: it begins with https://.";
  }
}
