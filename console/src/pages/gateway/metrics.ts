// What the gateway publishes of itself, read as its own page needs it: `/metrics`, in the text format of Prometheus.

import { refusal, unreachable } from "../../api/refusal";

export type Sample = { name: string; labels: Record<string, string>; value: number };

/** All that was published at one moment. */
export class Scrape {
  readonly atMs: number;
  readonly #byName = new Map<string, Sample[]>();

  constructor(text: string, atMs: number) {
    this.atMs = atMs;
    for (const line of text.split("\n")) {
      const sample = line.startsWith("#") ? undefined : read(line);
      if (!sample) continue;
      const known = this.#byName.get(sample.name);
      if (known) known.push(sample);
      else this.#byName.set(sample.name, [sample]);
    }
  }

  all(name: string): readonly Sample[] {
    return this.#byName.get(name) ?? [];
  }

  /** The one value of this name; `undefined` where there is none. */
  one(name: string): number | undefined {
    return this.all(name)[0]?.value;
  }

  /** The values of those with these labels, added up. */
  sum(name: string, labels: Record<string, string> = {}): number {
    const wanted = Object.entries(labels);
    const chosen = this.all(name).filter((it) => wanted.every(([label, value]) => it.labels[label] === value));
    return chosen.reduce((sum, it) => sum + it.value, 0);
  }
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED: Record<string, string> = { n: "\n" };

function read(line: string): Sample | undefined {
  const parts = LINE.exec(line);
  if (!parts) return undefined;
  const [, name = "", labels = "", value = ""] = parts;
  const pairs = [...labels.matchAll(LABEL)].map(([, label = "", text = ""]) => [label, unescaped(text)] as const);
  const number = value === "+Inf" ? Infinity : value === "-Inf" ? -Infinity : Number(value);
  return { name, labels: Object.fromEntries(pairs), value: number };
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, it: string) => ESCAPED[it] ?? it);
}

/** Asks for it.
 * @throws {Refusal} where it does not come */
export async function scrape(): Promise<Scrape> {
  let answer;
  try {
    answer = await fetch("/metrics", { cache: "no-store" });
  } catch {
    throw unreachable();
  }
  if (!answer.ok) throw refusal(answer, undefined);
  return new Scrape(await answer.text(), Date.now());
}

export type Route = {
  api: string;
  route: string;
  /** Answers since the process began; and those of them that were the client's fault, and the server's. */
  requests: number;
  refused: number;
  failed: number;
  /** Time in seconds that half, and 95 of 100, took at most. */
  half: number | undefined;
  most: number | undefined;
};

const CLIENTS = /^4/;
const SERVERS = /^5/;

/** Every route, with what became of its requests. */
export function routes(now: Scrape): Route[] {
  return now.all("portcullis_request_duration_seconds_count").map(({ labels: { api = "", route = "" } }) => {
    const answers = now.all("portcullis_requests_total").filter((it) => it.labels["api"] === api && it.labels["route"] === route);
    const count = (status: RegExp) =>
      answers.reduce((sum, it) => (status.test(it.labels["status"] ?? "") ? sum + it.value : sum), 0);
    return {
      api,
      route,
      requests: answers.reduce((sum, it) => sum + it.value, 0),
      refused: count(CLIENTS),
      failed: count(SERVERS),
      half: quantile(now, api, route, 0.5),
      most: quantile(now, api, route, 0.95),
    };
  });
}

/** From a histogram: between two bounds as if all were spread evenly. */
function quantile(now: Scrape, api: string, route: string, share: number): number | undefined {
  const buckets = now
    .all("portcullis_request_duration_seconds_bucket")
    .filter((it) => it.labels["api"] === api && it.labels["route"] === route)
    .map((it) => ({ most: it.labels["le"] === "+Inf" ? Infinity : Number(it.labels["le"]), count: it.value }))
    .sort((one, other) => one.most - other.most);
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return undefined;
  let [below, before] = [0, 0];
  for (const { most, count } of buckets) {
    if (count >= all * share) return most === Infinity ? below : below + ((most - below) * (all * share - before)) / (count - before);
    [below, before] = [most, count];
  }
  return below;
}

/** Answers by whose fault they were. */
export function answers(now: Scrape): { served: number; refused: number; failed: number } {
  const all = { served: 0, refused: 0, failed: 0 };
  for (const { labels, value } of now.all("portcullis_requests_total")) {
    const status = labels["status"] ?? "";
    all[CLIENTS.test(status) ? "refused" : SERVERS.test(status) ? "failed" : "served"] += value;
  }
  return all;
}
