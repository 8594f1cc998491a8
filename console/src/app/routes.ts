// Every page, by its path. The gateway serves the console at these paths only (`console::PAGES`, a test compares them).
//
// A page comes with its own script, so that the first load has only what each page needs.

import { createRouter } from "sv-router";
import Frame from "./Frame.svelte";
import Home from "./Home.svelte";
import Missing from "./Missing.svelte";
import SignIn from "../pages/sign-in/SignIn.svelte";

export const { navigate, route } = createRouter({
  "/": Home,

  // Without a session.
  "/sign-in": SignIn,
  "/forgot-password": () => import("../pages/forgot-password/ForgotPassword.svelte"),
  "/reset-password": () => import("../pages/reset-password/ResetPassword.svelte"),
  "/invite": () => import("../pages/invite/Invite.svelte"),

  // Of whoever is signed in.
  "/account": () => import("../pages/account/Account.svelte"),

  // Of an organization.
  "/o/:organization": () => import("../pages/organization/Organization.svelte"),
  "/o/:organization/api-tokens": () => import("../pages/tokens/Tokens.svelte"),
  "/o/:organization/api-tokens/new": () => import("../pages/tokens/NewToken.svelte"),
  "/o/:organization/api-tokens/:token": () => import("../pages/tokens/Token.svelte"),
  "/o/:organization/api-tokens/:token/edit": () => import("../pages/tokens/EditToken.svelte"),
  "/o/:organization/api-keys": () => import("../pages/api-keys/ApiKeys.svelte"),
  "/o/:organization/api-keys/new": () => import("../pages/api-keys/NewApiKey.svelte"),
  "/o/:organization/api-keys/:key": () => import("../pages/api-keys/ApiKey.svelte"),
  "/o/:organization/projects": () => import("../pages/projects/Projects.svelte"),
  "/o/:organization/projects/new": () => import("../pages/projects/NewProject.svelte"),
  "/o/:organization/projects/:project": () => import("../pages/projects/Project.svelte"),
  "/o/:organization/projects/:project/api-tokens": () => import("../pages/projects/ProjectTokens.svelte"),
  "/o/:organization/members": () => import("../pages/members/Members.svelte"),
  "/o/:organization/invitations": () => import("../pages/invitations/Invitations.svelte"),
  "/o/:organization/roles": () => import("../pages/roles/Roles.svelte"),
  "/o/:organization/roles/new": () => import("../pages/roles/NewRole.svelte"),
  "/o/:organization/roles/:role": () => import("../pages/roles/Role.svelte"),
  "/o/:organization/webhooks": () => import("../pages/webhooks/Webhooks.svelte"),
  "/o/:organization/webhooks/new": () => import("../pages/webhooks/NewWebhook.svelte"),
  "/o/:organization/webhooks/:endpoint": () => import("../pages/webhooks/Webhook.svelte"),
  "/o/:organization/webhook-deliveries/:delivery": () => import("../pages/webhooks/Delivery.svelte"),
  "/o/:organization/audit-log": () => import("../pages/audit-log/AuditLog.svelte"),
  "/o/:organization/operations": () => import("../pages/operations/Operations.svelte"),
  "/o/:organization/operations/new": () => import("../pages/operations/NewOperation.svelte"),
  "/o/:organization/operations/:operation": () => import("../pages/operations/OperationPage.svelte"),
  "/o/:organization/settings": () => import("../pages/settings/Settings.svelte"),

  // Of the whole server.
  "/people": () => import("../pages/people/People.svelte"),
  "/people/new": () => import("../pages/people/NewPerson.svelte"),
  "/people/:person": () => import("../pages/people/Person.svelte"),
  "/gateway": () => import("../pages/gateway/Gateway.svelte"),

  "*": Missing,
  layout: Frame,
});

/** The pages that are there for who is not signed in. */
export const OPEN: readonly string[] = ["/sign-in", "/forgot-password", "/reset-password", "/invite"];

/** Goes to a page of ours by its address, with what follows a `?` in it. */
export async function go(address: string, how: { replace?: boolean } = {}): Promise<void> {
  const { pathname, search } = new URL(address, location.origin);
  // Addresses are put together at run time, so that the router's types can not know them.
  await navigate(pathname as "/", { search, replace: how.replace ?? false });
}

/** What stands at `:name` of the present page's path. */
export function parameter(name: string): string {
  return (route.params as Partial<Record<string, string>>)[name] ?? "";
}
