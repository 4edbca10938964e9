/** How many shapes are remembered for one application, and for payloads of one name. */
const SHAPES = 1_000;
const SHAPES_A_NAME = 50;

/** How many shapes may still be remembered: field names that are made up anew each time must not fill the memory. */
export class ShapeBudget {
  readonly #whole: ShapeBudget | undefined;
  #left: number;

  private constructor(left: number, whole?: ShapeBudget) {
    this.#left = left;
    this.#whole = whole;
  }

  /** That of an application. */
  static whole(): ShapeBudget {
    return new ShapeBudget(SHAPES);
  }

  /** A share of it, for payloads of one name: nobody uses up what the others have. */
  share(): ShapeBudget {
    return new ShapeBudget(SHAPES_A_NAME, this);
  }

  get isSpent(): boolean {
    return this.#left === 0 || this.#whole?.isSpent === true;
  }

  /** Takes one from what is left. */
  spend(): void {
    this.#left--;
    this.#whole?.spend();
  }
}
