// Numbers and times as people read them, in the language of their browser.

const DAY_S = 86_400;
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * DAY_S],
  ["month", 30 * DAY_S],
  ["day", DAY_S],
  ["hour", 3600],
  ["minute", 60],
];

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const full = new Intl.DateTimeFormat("en", { dateStyle: "long", timeStyle: "long" });
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const count = new Intl.NumberFormat("en");

/** "3 hours ago", "in 2 months". */
export function fromNow(instant: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(instant) - now) / 1000);
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return seconds <= 0 && seconds > -60 ? "just now" : relative.format(seconds, "second");
}

/** With the time zone, for who wants to know exactly. */
export function exactly(instant: string): string {
  return full.format(new Date(instant));
}

export function onDay(instant: string): string {
  return day.format(new Date(instant));
}

export function atTime(instant: string): string {
  return moment.format(new Date(instant));
}

export function number(value: number): string {
  return count.format(value);
}

/** "1 token", "3 tokens". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** Characters as the API counts them: 👍 is one. */
export function characters(text: string): number {
  return [...text].length;
}
