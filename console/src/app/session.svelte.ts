// Who is signed in, and for which organization the pages are.

import { ask, client, context, type Schemas } from "../api/client";
import { Refusal } from "../api/refusal";
import { keep, recall } from "./theme.svelte";
import { untrack } from "svelte";

/** An organization that one belongs to, with what one may do there. */
export type Organization = Schemas["Place"] & { name: string };

type Known = { user: Schemas["User"]; isServerAdmin: boolean; organizations: Organization[] };

/** Tells other windows of the same browser that somebody has signed in or out. */
const windows = new BroadcastChannel("session");

class Session {
  /** `undefined` until the gateway was asked, `null` while nobody is signed in. */
  #known: Known | null | undefined = $state.raw();
  /** The page to go back to may be looked at by somebody else who signs in, but not what was on it. */
  #fault: Refusal | undefined = $state.raw();
  #left = $state(false);
  /** Of the page's path. */
  #slug: string | undefined = $state();
  /** The id of the one that was looked at last: pages of no organization lead back to it. */
  #last: string | null = $state(recall("organization"));

  constructor() {
    context.signedOut = () => this.#end();
    windows.onmessage = () => void this.load();
  }

  get loading(): boolean {
    return this.#known === undefined && this.#fault === undefined;
  }

  /** Why it could not be found out who is signed in. */
  get fault(): Refusal | undefined {
    return this.#fault;
  }

  get signedIn(): boolean {
    return Boolean(this.#known);
  }

  /** Whether somebody has signed out on purpose: whoever signs in next has no business where they were. */
  get left(): boolean {
    return this.#left;
  }

  /** Who is signed in. Pages behind the sign-in are shown only while somebody is. */
  get user(): Schemas["User"] {
    return this.#require().user;
  }

  /** Whether one looks after the whole server. */
  get serverAdmin(): boolean {
    return this.#known?.isServerAdmin ?? false;
  }

  get organizations(): Organization[] {
    return this.#known?.organizations ?? [];
  }

  /** The organization of the page's path; on pages of none, the one that was looked at last. */
  get organization(): Organization | undefined {
    const all = this.organizations;
    if (this.#slug !== undefined) return all.find((it) => it.slug === this.#slug);
    return all.find((it) => it.id === this.#last) ?? all[0];
  }

  /** The same, on a page that is only shown where there is one. */
  get here(): Organization {
    const here = this.organization;
    if (!here) throw new Error("no organization is chosen");
    return here;
  }

  /** Whether one is an owner or admin here: they make and see everybody's API tokens. */
  get manages(): boolean {
    return ["owner", "admin"].includes(this.organization?.role.toLowerCase() ?? "");
  }

  /** Whether one may do here what takes this permission, such as `manage:projects`. */
  may(permission: string): boolean {
    const [verb, resource] = permission.split(":");
    const enough = verb === "view" ? ["view", "manage"] : ["manage"];
    return (this.organization?.permissions ?? []).some((it) => {
      const [granted, of] = it.split(":");
      return enough.includes(granted ?? "") && (of === "*" || of === resource);
    });
  }

  /** Has the pages be for this organization. */
  choose(slug: string | undefined): void {
    this.#slug = slug;
    context.organization = slug;
    const id = slug === undefined ? undefined : this.organization?.id;
    if (id !== undefined && id !== untrack(() => this.#last)) {
      this.#last = id;
      keep("organization", id);
    }
  }

  /** Asks the gateway who is signed in. */
  async load(): Promise<void> {
    try {
      this.#known = await known();
      this.#fault = undefined;
      this.#left = false;
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      if (fault.status === 401) {
        this.#end();
      } else if (!this.#known) {
        this.#fault = fault;
      }
    }
  }

  /** After a login: the cookies are there. */
  async begin(): Promise<void> {
    await this.load();
    windows.postMessage("began");
  }

  async signOut(): Promise<void> {
    await ask(client.POST("/api/auth/logout", { body: {} }));
    this.#left = true;
    this.#end();
    windows.postMessage("ended");
  }

  #end(): void {
    this.#known = null;
    this.#fault = undefined;
  }

  #require(): Known {
    if (!this.#known) throw new Error("nobody is signed in");
    return this.#known;
  }
}

export const session = new Session();

async function known(): Promise<Known> {
  const me = await ask(client.GET("/api/auth/me"));
  const names = new Map<string, string>();
  let cursor: string | null | undefined;
  do {
    const query = { limit: 100, ...(cursor ? { cursor } : {}) };
    const part = await ask(client.GET("/api/user/orgs", { params: { query } }));
    for (const it of part.data) names.set(it.id, it.name);
    cursor = part.next_cursor;
  } while (cursor);
  const organizations = me.organizations.map((it) => ({ ...it, name: names.get(it.id) ?? it.slug }));
  return { user: me.user, isServerAdmin: me.isServerAdmin, organizations };
}
