// A list that comes in parts, each of which says where the next one begins.

import { shown } from "../api/client";
import type { Refusal } from "../api/refusal";
import { untrack } from "svelte";

export type Part<T> = { data: T[]; next_cursor: string | null };

/** Begun anew whenever something changes that `how` reads before it waits. What was there stays until the next is. */
export class Parts<T> {
  #rows: T[] | undefined = $state.raw();
  #next: string | null = $state(null);
  #refusal: Refusal | undefined = $state.raw();
  #loading = $state(true);
  #run = 0;
  readonly #how: (cursor: string | undefined) => Promise<Part<T>>;

  /** Only while a component is made: it ends with it. */
  constructor(how: (cursor: string | undefined) => Promise<Part<T>>) {
    this.#how = how;
    $effect(() => {
      void this.reload();
      return () => {
        this.#run += 1;
      };
    });
  }

  get rows(): T[] | undefined {
    return this.#rows;
  }

  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  get loading(): boolean {
    return this.#loading;
  }

  /** Whether there is a next part. */
  get more(): boolean {
    return this.#next !== null;
  }

  /** From the beginning. */
  async reload(): Promise<void> {
    await this.#take(undefined, () => []);
  }

  async next(): Promise<void> {
    if (this.#next !== null && !this.#loading) await this.#take(this.#next, () => this.#rows ?? []);
  }

  async #take(cursor: string | undefined, before: () => T[]): Promise<void> {
    const run = ++this.#run;
    // Called first, so that an effect that runs this depends on what it reads.
    const answer = this.#how(cursor);
    untrack(() => {
      this.#loading = true;
    });
    try {
      const part = await answer;
      if (run !== this.#run) return;
      this.#rows = [...before(), ...part.data];
      this.#next = part.next_cursor;
      this.#refusal = undefined;
    } catch (fault) {
      if (run !== this.#run) return;
      this.#refusal = shown(fault);
    }
    this.#loading = false;
  }
}
