/** Suggestions for unknown words: "did you mean". */

/** A known word that is similar to an unknown one. */
export interface Suggestion {
  readonly word: string;
  /** No other known word is as similar, and the difference is not only a number. */
  readonly isClear: boolean;
}

interface Word {
  readonly word: string;
  readonly lower: string;
  /** Bit set of its letters; several letters may share a bit. */
  readonly letters: number;
}

/**
 * Maximum number of steps per list of words, over all lookups: visiting a word is one step, and so is each cell of an edit
 * distance. About a tenth of a second.
 */
const MOST_STEPS = 30_000_000;

/**
 * Known words to compare unknown ones with. A spec may declare 40,000 names and misspell as many, so the total work per list
 * is bounded; after that, only differences in case and plural are found. Results depend only on the words and the order of
 * lookups.
 */
export class KnownWords {
  readonly #words: Word[] = [];
  /** The first word of each stem, without case and plural. */
  readonly #byStem = new Map<string, Word>();
  #stepsLeft: number;

  constructor(words: Iterable<string>, steps = MOST_STEPS) {
    this.#stepsLeft = steps;
    for (const text of words) {
      const word = wordOf(text);
      this.#words.push(word);
      const stem = singularOf(word.lower);
      if (!this.#byStem.has(stem)) this.#byStem.set(stem, word);
    }
  }

  /** Never negative; 0: further lookups use only the index of stems. */
  get stepsLeft(): number {
    return Math.max(0, this.#stepsLeft);
  }

  /** The most similar word, the first of several; undefined if none is similar enough. */
  nearest(text: string): Suggestion | undefined {
    const wrong = wordOf(text);
    const same = this.#byStem.get(singularOf(wrong.lower));
    const unsure = same && { word: same.word, isClear: false };
    const limit = same
      ? this.#distance(wrong, same, Number.POSITIVE_INFINITY)
      : Math.max(1, Math.floor(text.length / 3)) + 1;
    if (limit === undefined) return unsure;
    let best = same;
    let distance = limit;
    let rivals = 0;
    let nearestOther = Number.POSITIVE_INFINITY;
    for (const known of this.#words) {
      if (known === same) continue;
      const found = this.#distance(wrong, known, distance + 1);
      if (found === undefined) return unsure;
      if (found > distance) continue;
      if (isTooShort(wrong, known)) nearestOther = Math.min(nearestOther, found);
      else if (same !== undefined || found === distance) rivals++;
      else {
        best = known;
        distance = found;
        rivals = 0;
      }
    }
    if (best === undefined) return undefined;
    const isClear = rivals === 0 && nearestOther > distance && !differsByDigits(wrong, best);
    return { word: best.word, isClear };
  }

  /** Edit distance, at most `limit`; undefined if no steps are left. */
  #distance(a: Word, b: Word, limit: number): number | undefined {
    if (--this.#stepsLeft < 0) return undefined;
    if (Math.abs(a.lower.length - b.lower.length) >= limit) return limit;
    if (a.lower === b.lower) return 0;
    if (lettersBetween(a, b) >= limit) return limit;
    this.#stepsLeft -= a.lower.length * b.lower.length;
    return this.#stepsLeft < 0 ? undefined : editDistance(a.lower, b.lower, limit);
  }
}

/** The known word most similar to `wrong`. For many lookups in one list, use KnownWords. */
export function suggest(wrong: string, known: Iterable<string>): string | undefined {
  return new KnownWords(known).nearest(wrong)?.word;
}

function wordOf(word: string): Word {
  const lower = word.toLowerCase();
  let letters = 0;
  for (let at = 0; at < lower.length; at++) letters |= 1 << (lower.charCodeAt(at) & 31);
  return { word, lower, letters };
}

/** Lower bound of the edit distance: each edit adds or removes one letter. */
const lettersBetween = (a: Word, b: Word): number =>
  Math.max(bitsIn(a.letters & ~b.letters), bitsIn(b.letters & ~a.letters));

function bitsIn(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** For words of one or two letters, only a swap counts as similar. */
const isTooShort = (wrong: Word, known: Word): boolean =>
  wrong.word.length < 3 && sortedLetters(known.lower) !== sortedLetters(wrong.lower);

const sortedLetters = (word: string): string => [...word].sort().join('');

const differsByDigits = (a: Word, b: Word): boolean =>
  a.lower !== b.lower && a.lower.replace(/\d+/g, '') === b.lower.replace(/\d+/g, '');

const singularOf = (word: string): string =>
  word.length > 3 ? word.replace(/ies$/, 'y').replace(/([^s])s$/, '$1') : word;

/** Terms of other gateways, and the keys they may mean. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  api_key: ['api_keys'],
  backend: ['service', 'to'],
  bind: ['address'],
  cluster: ['service'],
  condition: ['match'],
  config: ['use'],
  endpoint: ['route'],
  entrypoint: ['listener'],
  filter: ['policies', 'policy'],
  hostname: ['host'],
  key: ['by', 'api_keys'],
  kind: ['use'],
  listen: ['listener', 'address'],
  location: ['route', 'match'],
  method: ['match'],
  middleware: ['policies', 'policy'],
  node: ['targets'],
  path: ['match', 'prefix'],
  plugin: ['policies', 'policy'],
  port: ['address'],
  proxy_pass: ['to'],
  rate: ['limit'],
  respond: ['reply'],
  response: ['reply'],
  rule: ['match'],
  server: ['listener', 'targets'],
  service: ['to'],
  target: ['targets', 'to'],
  tier: ['plan'],
  type: ['use'],
  upstream: ['service', 'to', 'targets'],
  uri: ['url', 'match'],
  url: ['targets', 'to', 'match'],
  user: ['consumer'],
};

/** The known word for a term of other gateways. */
export function synonymOf(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const name = Object.hasOwn(SYNONYMS, lower) ? lower : singularOf(lower);
  if (!Object.hasOwn(SYNONYMS, name)) return undefined;
  return SYNONYMS[name]?.find((candidate) => known.includes(candidate));
}

/** Optimal string alignment distance (swapped neighbours count as one edit), at most `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  let least = 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const leastBefore = least;
    least = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, before[j - 2]! + 1);
      row.push(value);
      if (value < least) least = value;
    }
    // Later rows derive from these two, and distances never decrease.
    if (least >= limit && leastBefore >= limit) return limit;
    before = previous;
    previous = row;
  }
  return Math.min(limit, previous[b.length]!);
}
