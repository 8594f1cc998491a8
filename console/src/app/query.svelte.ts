// What a page shows of the gateway: a value that is on its way, there, or refused.

import { shown } from "../api/client";
import type { Refusal } from "../api/refusal";
import { untrack } from "svelte";

/** Asked again whenever something changes that `how` reads before it waits. What was there stays until the next is: nothing jumps. */
export class Query<T> {
  #value: T | undefined = $state.raw();
  #refusal: Refusal | undefined = $state.raw();
  #loading = $state(true);
  #run = 0;
  readonly #how: () => Promise<T>;

  /** Only while a component is made: it ends with it. */
  constructor(how: () => Promise<T>) {
    this.#how = how;
    $effect(() => {
      void this.reload();
      return () => {
        this.#run += 1;
      };
    });
  }

  /** The newest that came; nothing before the first. */
  get value(): T | undefined {
    return this.#value;
  }

  /** Why the last call brought nothing. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  get loading(): boolean {
    return this.#loading;
  }

  /** Puts in what an alteration was answered with. */
  set(value: T): void {
    this.#run += 1;
    this.#value = value;
    this.#refusal = undefined;
    this.#loading = false;
  }

  async reload(): Promise<void> {
    const run = ++this.#run;
    // Called first, so that an effect that runs this depends on what it reads.
    const answer = this.#how();
    untrack(() => {
      this.#loading = true;
    });
    try {
      const value = await answer;
      if (run !== this.#run) return;
      this.#value = value;
      this.#refusal = undefined;
    } catch (fault) {
      if (run !== this.#run) return;
      this.#refusal = shown(fault);
    }
    this.#loading = false;
  }
}

/** Something that a button or a form has done, one at a time. */
export class Task {
  #busy = $state(false);
  #refusal: Refusal | undefined = $state.raw();

  get busy(): boolean {
    return this.#busy;
  }

  /** Why the last try came to nothing. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  forget(): void {
    this.#refusal = undefined;
  }

  /** Does it; whether it was done. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.#busy) return false;
    this.#busy = true;
    this.#refusal = undefined;
    try {
      await work();
      return true;
    } catch (fault) {
      this.#refusal = shown(fault);
      return false;
    } finally {
      this.#busy = false;
    }
  }
}
