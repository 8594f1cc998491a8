// What the gateway does not do, in words a person understands, whichever dialect it was said in.

/** Why something was not done. `fields` has what belongs beside a field, by the name that the API gives it. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    /** The answer's status; 0 where there was no answer. */
    readonly status: number,
    message: string,
    readonly fields: Readonly<Record<string, string>> = {},
    /** For who reports it. */
    readonly requestId: string | null = null,
    /** Seconds to wait before another try. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }

  /** What is wrong with this field, if something is. */
  field(name: string): string | undefined {
    return this.fields[name];
  }

  /** The text for the form as a whole: nothing where each fault has a field on the page to stand beside. */
  except(...shown: string[]): string | undefined {
    const faulty = Object.keys(this.fields);
    return faulty.length > 0 && faulty.every((name) => shown.includes(name)) ? undefined : this.message;
  }
}

/** What to say where the answer has no text of ours. */
const PLAIN: Record<number, string> = {
  0: "The gateway does not answer. Check that it is running and that you are connected, then try again.",
  401: "Your session is over. Sign in again.",
  403: "You may not do this.",
  404: "It is not here, or you may not see it.",
  409: "Somebody else has changed this in the meantime. Look at it again, then try once more.",
  413: "This is too large to be sent.",
  429: "This was tried too often.",
  503: "The gateway's database does not answer. Try again in a moment.",
};

/** The names that the API gives to fields, as they are called on the pages. */
const CALLED: Record<string, string> = {
  ipWhitelist: "addresses",
  expiresAt: "expiry",
  projectId: "project",
  newPassword: "the new password",
  currentPassword: "the present password",
};

export function unreachable(): Refusal {
  return new Refusal(0, PLAIN[0] ?? "");
}

/** Reads an answer that is an error. `body` is its JSON, or text, or nothing. */
export function refusal(response: Response, body: unknown): Refusal {
  const id = response.headers.get("X-Request-Id");
  const wait = seconds(response.headers.get("Retry-After"));
  const fields: Record<string, string> = {};
  const texts: string[] = [];
  for (const [text, field] of faults(body)) {
    const said = sentence(text, field);
    texts.push(said);
    if (field !== undefined && !(field in fields)) fields[field] = said;
  }
  if (response.status === 429) {
    return new Refusal(429, tooOften(wait), {}, id, wait);
  }
  const message = texts.join(" ") || (PLAIN[response.status] ?? `Something went wrong (status ${response.status}).`);
  return new Refusal(response.status, message, fields, id, wait);
}

function tooOften(wait: number | null): string {
  if (wait === null) return "This was tried too often. Wait a little, then try again.";
  if (wait < 90) return `This was tried too often. Try again in ${wait} seconds.`;
  return `This was tried too often. Try again in ${Math.ceil(wait / 60)} minutes.`;
}

function seconds(value: string | null): number | null {
  const number = Number(value);
  return value !== null && Number.isFinite(number) ? number : null;
}

/** Each fault's text, with its field where one is to blame. */
function faults(body: unknown): [text: string, field: string | undefined][] {
  if (!isRecord(body)) return [];
  // ocore: one error, with its field in the details.
  if (isRecord(body["error"])) {
    const { message, details } = body["error"];
    const field = isRecord(details) && typeof details["field"] === "string" ? details["field"] : undefined;
    return typeof message === "string" ? [[message, field]] : [];
  }
  // ocriva: one text or several, each of which begins with its field.
  const message = body["message"];
  const texts = Array.isArray(message) ? message : [message];
  return texts.filter((text) => typeof text === "string").map((text) => [text, leading(text)]);
}

/** `name` of "name must have 1 to 100 characters", `ipWhitelist` of "each entry of ipWhitelist must …". */
function leading(text: string): string | undefined {
  return /^(?:each entry of )?([a-z][A-Za-z]*) (?:must|is|may|names|has)\b/.exec(text)?.[1];
}

/** The API's text as a sentence, with the field called as the page calls it. */
function sentence(text: string, field: string | undefined): string {
  const called = field === undefined ? undefined : CALLED[field];
  const said = called === undefined || field === undefined ? text : text.replace(field, called);
  const whole = said.charAt(0).toUpperCase() + said.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
