// The text a head was forwarded as, kept with the head for as long as the same one keeps coming:
// what it depends on besides the head is compared, and mostly the same. Hot: once per message.

export class WrittenHead {
  #text = '';
  #given: object | string = '';
  #extra = '';
  #variant = 0;

  /** '' when it has to be written anew; an object given is compared by identity. */
  get(given: object | string, extra: string, variant: number): string {
    const isSame = this.#given === given && this.#variant === variant && this.#extra === extra;
    return isSame ? this.#text : '';
  }

  set(text: string, given: object | string, extra: string, variant: number): void {
    this.#text = text;
    this.#given = given;
    this.#extra = extra;
    this.#variant = variant;
  }

  /** Another head comes. */
  forget(): void {
    this.#text = '';
  }
}
