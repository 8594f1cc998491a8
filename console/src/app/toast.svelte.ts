// Short words on what was done. What went wrong stays beside what it is about instead.

export type Toast = { id: number; text: string };

const LIFE_MS = 6000;

class Toasts {
  list: Toast[] = $state([]);
  #next = 0;

  say(text: string): void {
    const id = this.#next++;
    this.list.push({ id, text });
    setTimeout(() => this.drop(id), LIFE_MS);
  }

  drop(id: number): void {
    this.list = this.list.filter((it) => it.id !== id);
  }
}

export const toasts = new Toasts();
