// What people fill in of a token, and what is wrong with it before it is sent.

import { characters } from "../../app/format";
import { expiryFault, type Wanted } from "./Expiry.svelte";

export const NAME = 100;
export const DESCRIPTION = 500;
export const ENTRY = 200;

export type Fields = {
  name: string;
  description: string;
  type: "organization" | "project";
  projectId: string;
  permissions: string[];
  scopes: string[];
  expiry: Wanted;
  addresses: string[];
};

export type Faults = Partial<Record<keyof Fields, string>>;

/** What is wrong with an entry of permissions or scopes, which are free texts. */
export function entryFault(text: string): string | undefined {
  return characters(text) > ENTRY ? `An entry has at most ${ENTRY} characters.` : undefined;
}

/** What is missing or too much, by field. */
export function faults(fields: Fields): Faults {
  const found: Faults = {};
  if (fields.name.trim() === "") found.name = "Give it a name, such as the program that will use it.";
  else if (characters(fields.name) > NAME) found.name = `At most ${NAME} characters.`;
  if (characters(fields.description) > DESCRIPTION) found.description = `At most ${DESCRIPTION} characters.`;
  if (fields.type === "project" && fields.projectId === "") found.projectId = "Choose the project that it opens.";
  if (fields.permissions.length === 0) found.permissions = "At least one permission.";
  if (fields.scopes.length === 0) found.scopes = "At least one scope.";
  const expiry = expiryFault(fields.expiry);
  if (expiry !== undefined) found.expiry = expiry;
  return found;
}
