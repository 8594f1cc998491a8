// Light, dark, or as the system has it. Kept in the browser: it is nobody's secret.

export type Theme = "system" | "light" | "dark";

class Choice {
  #theme: Theme = $state(kept());

  get theme(): Theme {
    return this.#theme;
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    const root = document.documentElement;
    if (theme === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = theme;
    keep("theme", theme === "system" ? null : theme);
  }
}

export const appearance = new Choice();

function kept(): Theme {
  const theme = recall("theme");
  return theme === "light" || theme === "dark" ? theme : "system";
}

/** A preference of this browser. It may forbid its storage: then there are none. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Keeps a preference; `null` forgets it. Never a name, a key or a token. */
export function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // What is not kept is chosen again.
  }
}
