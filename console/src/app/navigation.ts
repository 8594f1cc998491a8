// What the navigation leads to: for each part, which pages are its own and who sees it.

import { session } from "./session.svelte";

export type Place = {
  label: string;
  /** Of an organization: behind `/o/<slug>`. Otherwise the whole path. */
  path: string;
  icon: keyof typeof ICONS;
  /** What one does there, in a line. */
  about: string;
  /** Whether it is shown to who is signed in. What is not is refused by the gateway all the same. */
  shown?: () => boolean;
};

/** The parts of an organization. */
export const ORGANIZATION: readonly Place[] = [
  { label: "Organization", path: "", icon: "home", about: "What it is, and your place in it." },
  { label: "API Tokens", path: "/api-tokens", icon: "key", about: "Keys for your programs: made, altered, taken out of service." },
  {
    label: "API keys",
    path: "/api-keys",
    icon: "chip",
    about: "ocore_ keys, which may do no more than who made them.",
    shown: () => session.may("view:api-keys"),
  },
  {
    label: "Projects",
    path: "/projects",
    icon: "folder",
    about: "What API calls are about; each with tokens of its own.",
    shown: () => session.may("view:projects"),
  },
  {
    label: "Members",
    path: "/members",
    icon: "people",
    about: "Who belongs here, and as what.",
    shown: () => session.may("view:members"),
  },
  {
    label: "Roles",
    path: "/roles",
    icon: "shield",
    about: "What people may do, and roles of your own.",
    shown: () => session.may("view:roles"),
  },
  {
    label: "Invitations",
    path: "/invitations",
    icon: "letter",
    about: "Links by which people join.",
    shown: () => session.may("manage:members"),
  },
  {
    label: "Webhooks",
    path: "/webhooks",
    icon: "hook",
    about: "Your programs are told what happens to tokens.",
    shown: () => session.may("manage:webhooks"),
  },
  {
    label: "Audit log",
    path: "/audit-log",
    icon: "list",
    about: "Who did what, when and from where.",
    shown: () => session.may("manage:audit-logs"),
  },
  {
    label: "Operations",
    path: "/operations",
    icon: "gears",
    about: "Rotations and exports: what takes longer.",
    shown: () => session.may("manage:operations"),
  },
  {
    label: "Settings",
    path: "/settings",
    icon: "sliders",
    about: "Name, slug, and the end of it.",
    shown: () => session.may("view:organization"),
  },
];

/** What belongs to the gateway as a whole. */
export const GATEWAY: readonly Place[] = [
  {
    label: "Gateway",
    path: "/gateway",
    icon: "gate",
    about: "What it serves, and how it is.",
    shown: () => session.serverAdmin,
  },
  {
    label: "People",
    path: "/people",
    icon: "people",
    about: "Everybody who has an account on this server.",
    shown: () => session.serverAdmin,
  },
];

/** Drawn with one line, in 16 by 16. */
export const ICONS = {
  home: "M2.5 14V2.5h7V14M9.5 6.5h4V14M1.5 14h13M5 5.5h2M5 8.5h2M5 11.5h2M11.5 9.5v.1M11.5 11.8v.1",
  key: "M9.5 6.5a3.5 3.5 0 1 0-2.2 3.2L8.5 11H10v1.5h1.5V14H14v-2.5L9.3 7.8a3.5 3.5 0 0 0 .2-1.3zM5.2 5.6v.1",
  chip: "M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5V14M9.5 11.5V14M2 6.5h2.5M2 9.5h2.5M11.5 6.5H14M11.5 9.5H14",
  shield: "M8 1.8 13 3.5v4c0 3.2-2 5.5-5 6.7-3-1.2-5-3.5-5-6.7v-4zM5.8 7.8l1.6 1.6 2.9-3",
  letter: "M2 4h12v8.5H2zM2 4.5l6 4.5 6-4.5",
  sliders: "M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.8v3.4M6 9.8v3.4",
  folder: "M2 12.5v-9h4l1.5 2H14v7z",
  people: "M6 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 3.2a2.5 2.5 0 0 1 0 4.6M12 9.8c1.6.5 2.5 1.8 2.5 3.7",
  hook: "M6.2 6.8a2.6 2.6 0 1 1 3.2-2.9M5.4 8.2 3.9 11M9.5 5.2l1.9 3.3M11.2 9.2a2.4 2.4 0 1 1-2.4 3.3H5.6M4.4 10.2a2.4 2.4 0 1 0 1.4 2.3",
  list: "M5.5 4H14M5.5 8H14M5.5 12H14M2.2 4h.1M2.2 8h.1M2.2 12h.1",
  gears: "M8 5.5v-3M8 13.5v-3M10.5 8h3M2.5 8h3M9.8 6.2l2.1-2.1M4.1 11.9l2.1-2.1M9.8 9.8l2.1 2.1M4.1 4.1l2.1 2.1M10.5 8a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z",
  gate: "M2.5 14V7.5a5.5 5.5 0 0 1 11 0V14M6 3v11M10 3v11M2.5 8h11M2.5 11h11",
  person: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c0-3 2.4-4.5 5.5-4.5s5.5 1.5 5.5 4.5",
  book: "M2.5 3h4A1.5 1.5 0 0 1 8 4.5V13a1.5 1.5 0 0 0-1.5-1.2h-4zM13.5 3h-4A1.5 1.5 0 0 0 8 4.5V13a1.5 1.5 0 0 1 1.5-1.2h4z",
} as const;
