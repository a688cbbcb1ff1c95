// Identifiers that look like AWS's and are the same in every run.

export class Ids {
  #state = 0x2545f491

  /** A number from 0 to 1, always the same row (xorshift). */
  chance(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) / 2 ** 32
  }

  #of(alphabet: string, length: number): string {
    return Array.from({ length }, () => alphabet[Math.floor(this.chance() * alphabet.length)]).join('')
  }

  hex(length: number): string {
    return this.#of('0123456789abcdef', length)
  }

  digits(length: number): string {
    return `${this.#of('123456789', 1)}${this.#of('0123456789', length - 1)}`
  }

  /** As in a service deployment's ARN. */
  word(length: number): string {
    return this.#of('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', length)
  }

  uuid(): string {
    return [8, 4, 4, 4, 12].map(length => this.hex(length)).join('-')
  }
}
