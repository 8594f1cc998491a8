// Whole lists, of which the API gives parts.

import { ask, client, type Schemas } from "./client";

/** Every project of the organization that one may see, the inactive ones too, by name. */
export async function allProjects(): Promise<Schemas["Project"][]> {
  const all: Schemas["Project"][] = [];
  let cursor: string | null = null;
  do {
    const query = { include_archived: "true" as const, limit: 100, ...(cursor === null ? {} : { cursor }) };
    const part: Schemas["ProjectPart"] = await ask(client.GET("/api/projects", { params: { query } }));
    all.push(...part.data);
    cursor = part.next_cursor;
  } while (cursor !== null);
  return all.toSorted((a, b) => a.name.localeCompare(b.name));
}
