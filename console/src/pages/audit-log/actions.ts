// What the audit log tells of, in groups by what was done something to.

export const KINDS = [
  { value: "api_token", label: "API tokens" },
  { value: "api_key", label: "API keys" },
  { value: "project", label: "Projects" },
  { value: "member", label: "Members" },
  { value: "invitation", label: "Invitations" },
  { value: "role", label: "Roles" },
  { value: "webhook_endpoint", label: "Webhooks" },
  { value: "webhook_delivery", label: "Deliveries" },
  { value: "operation", label: "Operations" },
  { value: "organization", label: "Organization" },
] as const;

/** "api_token.created" as people say it: "API token created". */
export function told(action: string): string {
  const [kind = "", what = ""] = action.split(".");
  const name = kind.replace(/^api_/, "API ").replaceAll("_", " ");
  const words = `${name} ${what.replaceAll("_", " ")}`.trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Midnight of a day as the person's clock has it, `days` later. */
export function dayStart(day: string, days = 0): string | undefined {
  if (day === "") return undefined;
  const at = new Date(`${day}T00:00:00`);
  at.setDate(at.getDate() + days);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
