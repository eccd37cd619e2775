/** Did you mean: the known word nearest to a wrong one, or undefined when none is near enough to be meant. */
export function suggest(wrong: string, known: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(wrong.length / 3));
  const singular = singularOf(wrong.toLowerCase());
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const word of known) {
    const lower = word.toLowerCase();
    const distance = singular === singularOf(lower) ? 0 : editDistance(wrong.toLowerCase(), lower, bestDistance);
    // Of one or two letters a change leaves nothing of the word; a swap does.
    if (wrong.length < 3 && lettersOf(lower) !== lettersOf(wrong.toLowerCase())) continue;
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

const lettersOf = (word: string): string => [...word].sort().join('');

const singularOf = (word: string): string =>
  word.length > 3 ? word.replace(/ies$/, 'y').replace(/([^s])s$/, '$1') : word;

/** True when a suggestion can be nothing else: no other known word is as near, and more than a number differs. */
export function isClear(wrong: string, suggested: string, known: Iterable<string>): boolean {
  const withoutDigits = (word: string): string => word.toLowerCase().replace(/\d+/g, '');
  if (wrong.toLowerCase() !== suggested.toLowerCase() && withoutDigits(wrong) === withoutDigits(suggested))
    return false;
  const others = [...known].filter((word) => word !== suggested);
  const distance = editDistance(wrong.toLowerCase(), suggested.toLowerCase(), Number.POSITIVE_INFINITY);
  return others.every((word) => editDistance(wrong.toLowerCase(), word.toLowerCase(), distance + 1) > distance);
}

/** What other gateways call things: their word, and what may be meant by it. */
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

/** The known word for what others call `word`. */
export function synonymOf(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const name = Object.hasOwn(SYNONYMS, lower) ? lower : singularOf(lower);
  if (!Object.hasOwn(SYNONYMS, name)) return undefined;
  return SYNONYMS[name]?.find((candidate) => known.includes(candidate));
}

/** Optimal string alignment distance (a swap of neighbours counts one), cut off at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, before[j - 2]! + 1);
      row.push(value);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
