// How roles are called on pages: the built-in ones begin with a capital, as names do.

const BUILT_IN = ["owner", "admin", "developer", "viewer"];

export function roleName(name: string): string {
  return BUILT_IN.includes(name) ? name.charAt(0).toUpperCase() + name.slice(1) : name;
}
