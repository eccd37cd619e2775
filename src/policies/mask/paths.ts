/**
 * Paths to members of JSON:
 *
 *     user.email   cards[*].number   items[0]   *.token   **.password   ["e.mail"].text
 *
 * `*` is any member of an object, `[*]` any item of an array, `**` any number of members and items.
 */

/** A member by its name, an item by its index, or a wildcard. */
export type PathStep = string | number | { readonly any: 'member' | 'item' | 'deep' };

export type Path = readonly PathStep[];

export const MAX_STEPS = 32;

const STEP = /\*\*|\*|\[\*\]|\[(?:0|[1-9]\d{0,8})\]|\[("(?:[^"\\]|\\.)*")\]|[^\s.[\]*"]+/y;

/** Reads a path; undefined if it is malformed. Never throws. */
export function readPath(text: string): Path | undefined {
  const steps: PathStep[] = [];
  for (let at = 0; at < text.length; ) {
    if (steps.length > 0 && text[at] === '.') at++;
    else if (steps.length > 0 && text[at] !== '[') return undefined;
    STEP.lastIndex = at;
    const found = STEP.exec(text);
    if (found === null || steps.length === MAX_STEPS) return undefined;
    const step = stepOf(found[0], found[1]);
    if (step === undefined) return undefined;
    steps.push(step);
    at = STEP.lastIndex;
  }
  const last = steps.at(-1);
  return last === undefined || isDeep(last) ? undefined : steps;
}

function stepOf(written: string, quoted: string | undefined): PathStep | undefined {
  if (quoted !== undefined) return nameOf(quoted);
  if (written === '**') return { any: 'deep' };
  if (written === '*') return { any: 'member' };
  if (written === '[*]') return { any: 'item' };
  return written.startsWith('[') ? Number(written.slice(1, -1)) : written;
}

function nameOf(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

const isDeep = (step: PathStep): boolean => typeof step === 'object' && step.any === 'deep';

/** Whether each place of `path`, or something around it, is a place of `by`: then `by` decides what is sent. */
export function isCovered(path: Path, by: Path): boolean {
  const covers = (at: number, byAt: number): boolean => {
    const step = by[byAt];
    if (step === undefined) return true;
    const wanted = path[at];
    if (isDeep(step)) return covers(at, byAt + 1) || (wanted !== undefined && covers(at + 1, byAt));
    return wanted !== undefined && includes(step, wanted) && covers(at + 1, byAt + 1);
  };
  return covers(0, 0);
}

function includes(step: PathStep, wanted: PathStep): boolean {
  if (typeof step !== 'object') return step === wanted;
  if (typeof wanted === 'object') return step.any === wanted.any;
  return step.any === (typeof wanted === 'string' ? 'member' : 'item');
}

/** Where several paths are in a document: each number is a path and a step of it. */
export interface Places {
  readonly at: readonly number[];
  /** What follows for the names and indices that were met. */
  readonly known: Map<string | number, Advanced>;
}

export interface Advanced {
  /** Indices of the paths that end at the child, in order. */
  readonly hits: readonly number[];
  readonly places: Places;
}

/** Names and indices that are remembered with what follows, and sets of places: names come from documents. */
const MAX_KNOWN = 2000;
const LONGEST_KNOWN = 64;
const MAX_SETS = 500;

/** Follows several paths at once. The work for a child depends on the number of places, which the paths bound. */
export class PathSet {
  readonly #paths: readonly Path[];
  /** At the root of a document. */
  readonly start: Places;
  readonly #sets = new Map<string, Places>();
  #known = 0;

  constructor(paths: readonly Path[]) {
    this.#paths = paths;
    const start = new Set<number>();
    for (const index of paths.keys()) this.#add(index, 0, start, []);
    this.start = this.#setOf([...start]);
  }

  /** The places below a child: a member by its name, or an item by its index. */
  advance(places: Places, child: string | number): Advanced {
    const known = places.known.get(child);
    if (known !== undefined) return known;
    const advanced = this.#advance(places.at, child);
    if (this.#known < MAX_KNOWN && (typeof child === 'number' || child.length <= LONGEST_KNOWN)) {
      this.#known++;
      // A name is a slice of its document, which it would keep in memory.
      places.known.set(typeof child === 'number' ? child : Buffer.from(child).toString(), advanced);
    }
    return advanced;
  }

  #setOf(at: readonly number[]): Places {
    const key = at.join();
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = { at, known: new Map() };
      if (this.#sets.size < MAX_SETS) this.#sets.set(key, set);
    }
    return set;
  }

  #advance(places: readonly number[], child: string | number): Advanced {
    const hits: number[] = [];
    const next = new Set<number>();
    for (const place of places) {
      const index = Math.floor(place / MAX_STEPS);
      const at = place % MAX_STEPS;
      const step = this.#paths[index]![at]!;
      if (isDeep(step)) this.#add(index, at, next, hits);
      else if (includes(step, child)) this.#add(index, at + 1, next, hits);
    }
    return { hits: hits.sort((a, b) => a - b), places: this.#setOf([...next]) };
  }

  #add(index: number, at: number, places: Set<number>, hits: number[]): void {
    const path = this.#paths[index]!;
    if (at === path.length) {
      if (!hits.includes(index)) hits.push(index);
      return;
    }
    const place = index * MAX_STEPS + at;
    if (places.has(place)) return;
    places.add(place);
    // It may also stand for nothing.
    if (isDeep(path[at]!)) this.#add(index, at + 1, places, hits);
  }
}
