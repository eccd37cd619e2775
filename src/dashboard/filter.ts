/**
 * The language of filters: words that must all be found, each one plain text, `field:value`, `4xx`, or `!` and one of
 * these for "not". `value` may give choices: `status:429|5xx`.
 */

export interface Term {
  readonly not: boolean;
  /** Undefined: anywhere in the row's text. */
  readonly field: string | undefined;
  /** Lower case; one of them has to be found. */
  readonly choices: readonly string[];
}

/** A row's searchable parts: `text` for plain words, the rest by name. */
export type Fields = { readonly text: readonly string[] } & { readonly [field: string]: string | readonly string[] };

/** Splits a filter into its terms; incomplete ones (`status:`, `!`) match every row. */
export function parseFilter(filter: string): Term[] {
  const terms: Term[] = [];
  for (const word of filter.toLowerCase().split(/\s+/)) {
    const not = word.startsWith('!');
    const body = not ? word.slice(1) : word;
    const named = /^([a-z]+):(?!\/\/)(.*)$/.exec(body);
    const bareStatus = /^[1-5]xx$/.test(body);
    const field = bareStatus ? 'status' : named?.[1];
    const choices = (named && !bareStatus ? (named[2] ?? '') : body).split('|').filter((choice) => choice !== '');
    if (choices.length > 0) terms.push({ not, field, choices });
  }
  return terms;
}

/** A row passes when every term is found in it (or, with `!`, is not). */
export function matches(terms: readonly Term[], fields: Fields): boolean {
  return terms.every((term) => found(term, fields) !== term.not);
}

function found(term: Term, fields: Fields): boolean {
  if (term.field === undefined) return term.choices.some((choice) => includes(fields.text, choice));
  const own = fields[term.field];
  if (own === undefined) {
    // No such field in this view: the word is meant as it stands, such as `localhost:8080`.
    return term.choices.some((choice) => includes(fields.text, `${term.field}:${choice}`));
  }
  const values = typeof own === 'string' ? [own] : own;
  if (term.field === 'status') return term.choices.some((choice) => values.some((value) => isStatus(value, choice)));
  return term.choices.some((choice) => includes(values, choice));
}

function includes(values: readonly string[], choice: string): boolean {
  return values.some((value) => value.toLowerCase().includes(choice));
}

/** `4xx`, `4` and `42` are beginnings of 429. */
function isStatus(value: string, choice: string): boolean {
  return value.startsWith(choice.replace(/x+$/, ''));
}
