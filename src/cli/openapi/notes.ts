/** What an import could not take over as it was: in full for the file, in a few lines for a terminal. */

/** Kinds of notes, with the headline for several of one kind. */
const HEADLINES = {
  unchecked: (n: string) => `${n} routes ask for an API key of gw in place of credentials that gw cannot check`,
  partly: (n: string) => `${n} routes check only a part of the credentials that the document asks for`,
  alternatives: (n: string) => `${n} routes accept fewer kinds of credentials than the document`,
  open: (n: string) => `${n} routes are open, since the document asks for no credentials there`,
  optional: (n: string) => `${n} routes are open, since credentials are optional there and gw cannot check them`,
  left: (n: string) => `${n} paths or operations of the document are left out`,
  reference: (n: string) => `${n} references cannot be followed`,
  same: (n: string) => `${n} operations take the same requests as another one and are left out`,
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
  readonly warning: boolean;
}

/** Kinds about routes that are open, or are guarded in another way than the document says. */
const WARNINGS: ReadonlySet<NoteKind> = new Set(['unchecked', 'partly', 'optional', 'unused']);

/** Notes in the order in which they came, each once. */
export class Notes {
  readonly #notes = new Map<string, Note>();

  add(kind: NoteKind, subject: string, text: string): void {
    this.#notes.set(text, { kind, subject, text, warning: WARNINGS.has(kind) });
  }

  get all(): Note[] {
    return [...this.#notes.values()];
  }
}

/** Notes of one kind that are told one by one. */
const MOST_SINGLE = 2;
const MOST_SUBJECTS = 3;

/** A line for each note, or for all of one kind where there are more; warnings first. */
export function summary(notes: readonly Note[]): { readonly warning: boolean; readonly text: string }[] {
  const byKind = new Map<NoteKind, Note[]>();
  for (const note of [...notes].sort((a, b) => Number(b.warning) - Number(a.warning))) {
    const peers = byKind.get(note.kind);
    if (peers) peers.push(note);
    else byKind.set(note.kind, [note]);
  }
  return [...byKind].flatMap(([kind, peers]) => {
    const warning = peers[0]?.warning ?? false;
    if (peers.length <= MOST_SINGLE) return peers.map(({ text }) => ({ warning, text }));
    const subjects = [...new Set(peers.map(({ subject }) => subject))];
    const more = subjects.length - MOST_SUBJECTS;
    const list = `${subjects.slice(0, MOST_SUBJECTS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return [{ warning, text: `${HEADLINES[kind](String(peers.length))}: ${list}. The spec says it of each.` }];
  });
}
