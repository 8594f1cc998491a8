// What a token's state is called.

import type { Schemas } from "../../api/client";

export type Token = Schemas["Token"];

const SOON_MS = 14 * 86_400_000;

export type State = { label: string; kind: "good" | "warn" | "bad" | "plain" };

export function isOver(token: { expiresAt: string | null }, now = Date.now()): boolean {
  return token.expiresAt !== null && Date.parse(token.expiresAt) <= now;
}

/** Whether it opens anything, and if not, why. */
export function stateOf(token: { isActive: boolean; expiresAt: string | null }, now = Date.now()): State {
  if (!token.isActive) return { label: "Inactive", kind: "plain" };
  if (isOver(token, now)) return { label: "Expired", kind: "bad" };
  if (token.expiresAt !== null && Date.parse(token.expiresAt) - now < SOON_MS) {
    return { label: "Expires soon", kind: "warn" };
  }
  return { label: "Active", kind: "good" };
}
