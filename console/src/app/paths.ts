// Addresses of pages.

import { session } from "./session.svelte";

/** A page of the organization that the present one is of: `here("/api-tokens/new")`. */
export function here(path: string): string {
  return of(session.here.slug, path);
}

/** A page of an organization. */
export function of(slug: string, path: string): string {
  return `/o/${encodeURIComponent(slug)}${path}`;
}

/** Where to sign in, and to come back from. */
export function signInFrom(path: string): string {
  return path === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(path)}`;
}

/** Where to go after signing in: a page of ours, whatever a link says. */
export function wayBack(search: string): string {
  const to = new URLSearchParams(search).get("to") ?? "/";
  const url = new URL(to, location.origin);
  return to.startsWith("/") && url.origin === location.origin && url.pathname !== "/sign-in"
    ? url.pathname + url.search
    : "/";
}
