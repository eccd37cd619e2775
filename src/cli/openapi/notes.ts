/** What an import could not take over as it was: in full for the file, in a few lines for a terminal. */

/** Kinds of notes, with the headline for several of one kind. `of`: what they have in common, such as a scheme. */
const HEADLINES = {
  unchecked: (n: string, of: string) => `${n} routes ask for an API key of gw instead of ${of}, which gw cannot check`,
  partly: (n: string, of: string) => `${n} routes do not check ${of}, which gw cannot check, beside their API key`,
  alternatives: (n: string, of: string) => `${n} routes do not accept ${of}, which the document accepts as well`,
  open: (n: string) => `${n} routes are open, since the document asks for no credentials there`,
  optional: (n: string, of: string) => `${n} routes are open: ${of} is optional there, and gw cannot check it`,
  left: (n: string) => `${n} paths or operations of the document are left out`,
  reference: (n: string) => `${n} references cannot be followed`,
  same: (n: string) => `${n} operations take the same requests as another one and are left out`,
  stricter: (n: string) => `${n} routes ask for credentials that only other operations at their path need`,
  overlap: (n: string) => `${n} routes overlap another one and match more than their operation`,
  segment: (n: string) => `${n} path segments with a parameter and other text are one parameter each`,
  parameter: (n: string) => `${n} parameters are not matched exactly as the document says`,
  fragment: (n: string) => `${n} fragments of paths are not conditions, since no server sees a fragment`,
  service: (n: string) => `${n} services need a look`,
  unused: (n: string) => `${n} kinds of credentials are described and never asked for`,
} as const;

export type NoteKind = keyof typeof HEADLINES;

export interface Note {
  readonly kind: NoteKind;
  /** A whole sentence. */
  readonly text: string;
  /** What it is about, for a list: `GET /pets`. */
  readonly subject: string;
  /** Notes of one kind with the same text here are printed as one. */
  readonly of: string;
  readonly warning: boolean;
}

/** Kinds about routes that are open, or whose credentials differ from the document. */
const WARNINGS: ReadonlySet<NoteKind> = new Set(['unchecked', 'partly', 'optional', 'unused']);

/** Notes in the order in which they came, each once. */
export class Notes {
  readonly #notes = new Map<string, Note>();

  add(kind: NoteKind, subject: string, text: string, of = ''): void {
    const warning = WARNINGS.has(kind);
    this.#notes.set(text, { kind, subject: printable(subject), of: printable(of), text: printable(text), warning });
  }

  get all(): Note[] {
    return [...this.#notes.values()];
  }
}

/** Documents are not trusted with a terminal: control characters become spaces. */
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');

/** Notes of one kind that are printed one by one. */
const MOST_SINGLE = 2;
const MOST_SUBJECTS = 3;

/** A line for each note, or for all of one kind where there are more; warnings first. */
export function summary(notes: readonly Note[]): { readonly warning: boolean; readonly text: string }[] {
  const groups = new Map<string, Note[]>();
  for (const note of [...notes].sort((a, b) => Number(b.warning) - Number(a.warning))) {
    const key = `${note.kind} ${note.of}`;
    const peers = groups.get(key);
    if (peers) peers.push(note);
    else groups.set(key, [note]);
  }
  return [...groups.values()].flatMap((peers) => {
    const { kind, of, warning } = peers[0]!;
    if (peers.length <= MOST_SINGLE) return peers.map(({ text }) => ({ warning, text }));
    const subjects = [...new Set(peers.map(({ subject }) => subject))];
    const more = subjects.length - MOST_SUBJECTS;
    const list = `${subjects.slice(0, MOST_SUBJECTS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return [
      {
        warning,
        text: `${HEADLINES[kind](String(peers.length), of)}: ${list}. Comments in the spec mark each of them.`,
      },
    ];
  });
}
