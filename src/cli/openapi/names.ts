/** Names in a spec, made from the free text of a document. */

/** Letters and digits with dashes between, as names in a spec are; '' where the text has none. */
export function slug(text: string, longest = 60): string {
  const plain = text.slice(0, 500).normalize('NFKD').toLowerCase();
  return plain
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, longest)
    .replace(/-$/, '');
}

/** The same, with a dash where a capital begins a word: `cookieAuth` is `cookie-auth`. */
export const wordSlug = (text: string): string => slug(text.slice(0, 500).replace(/([a-z0-9])([A-Z])/g, '$1-$2'));

/** Words of titles that do not describe the service. */
const FILLER =
  /^(a|all|an|and|api|apis|are|as|at|be|by|can|collection|demo|do|describes|description|docs|documentation|document|endpoint|endpoints|everything|example|for|from|http|in|is|it|its|of|on|openapi|or|our|public|reference|rest|restful|sample|server|service|services|simple|spec|specification|swagger|test|that|the|this|to|used|using|v\d+|version|we|web|with|you|your|\d+)$/;
const MOST_WORDS = 3;
const LONGEST = 24;

/** A short name for the service that a document with this title describes: `pet-store`; '' if the title has no such word. */
export function shortName(title: string): string {
  const sentence = title.split(/[.:;!?\n(]|\s[-\u2013|]\s/)[0] ?? '';
  const all = slug(sentence.trim() === '' ? title : sentence, 200)
    .split('-')
    .filter((word) => word !== '');
  const telling = all.filter((word) => !FILLER.test(word));
  const words = (telling.length > 0 ? telling : all).slice(0, MOST_WORDS);
  let name = words.shift() ?? '';
  for (const word of words) {
    if (name.length + 1 + word.length > LONGEST) break;
    name += `-${word}`;
  }
  return name.slice(0, LONGEST).replace(/-$/, '');
}

/** Names that Windows keeps for devices. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/** File names for tags, each once, whatever the tags hold; the same document gives the same names. */
export class FileNames {
  readonly #taken = new Set<string>();

  unique(tag: string): string {
    const wanted = slug(tag, 50) || 'tag';
    const base = DEVICES.test(wanted) ? `tag-${wanted}` : wanted;
    let name = base;
    for (let count = 2; this.#taken.has(name); count++) name = `${base}-${count}`;
    this.#taken.add(name);
    return name;
  }
}
