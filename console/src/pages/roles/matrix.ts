// Permissions as a table: for each resource nothing, `view` or `manage`, which includes it.

export type Level = "none" | "view" | "manage";

/** What permissions are about, those of everything first. */
export function resourcesOf(permissions: readonly string[]): string[] {
  const all = new Set(permissions.map((it) => it.slice(it.indexOf(":") + 1)));
  return [...all].sort((a, b) => (a === "*" ? -1 : b === "*" ? 1 : a.localeCompare(b)));
}

/** What is granted for a resource, by its own name or by that of all. */
export function grantOf(permissions: readonly string[], resource: string): Level {
  const has = (verb: string) => permissions.includes(`${verb}:${resource}`) || permissions.includes(`${verb}:*`);
  return has("manage") ? "manage" : has("view") ? "view" : "none";
}

/** What is granted for a resource by its own name. */
export function ownGrantOf(permissions: readonly string[], resource: string): Level {
  if (permissions.includes(`manage:${resource}`)) return "manage";
  return permissions.includes(`view:${resource}`) ? "view" : "none";
}

/** The same with this for one resource. */
export function withGrant(permissions: readonly string[], resource: string, level: Level): string[] {
  const others = permissions.filter((it) => it !== `view:${resource}` && it !== `manage:${resource}`);
  return level === "none" ? others : [...others, `${level}:${resource}`];
}
