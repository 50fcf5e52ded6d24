// A refused authentication is not tried again soon, whoever asks: repeated failures lock accounts.
import { authHold } from "./constants.js";
import { isAuthentication } from "./state.js";

export class AuthHold {
  #refusals = 0;
  #until = 0;

  get active(): boolean {
    return Date.now() < this.#until;
  }

  succeeded(): void {
    this.#refusals = 0;
  }

  failed(error: unknown): void {
    if (!isAuthentication(error)) return;
    this.#refusals += 1;
    this.#until = Date.now() + authHold(this.#refusals);
  }
}
