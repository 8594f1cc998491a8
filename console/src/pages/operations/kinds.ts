// What operations there are, and how far one can be.

import type { Schemas } from "../../api/client";

export type Operation = Schemas["Operation"];

export const KINDS: Record<Operation["type"], string> = {
  rotate_tokens: "Rotation of API tokens",
  export_audit: "Export of the audit log",
  export_usage: "Export of usage",
  delete_organization: "Deletion of the organization",
  confirm_change: "Confirmation by every node",
};

export const STATES = {
  pending: { label: "Waits", kind: "plain" },
  running: { label: "Running", kind: "accent" },
  succeeded: { label: "Succeeded", kind: "good" },
  failed: { label: "Failed", kind: "bad" },
} as const;

export function isUnderWay(operation: Operation): boolean {
  return operation.status === "pending" || operation.status === "running";
}
