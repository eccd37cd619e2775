/** A file of consumers as JSON lines, read again when it has changed. */
import type { ConsumerEntry } from '../../bundle/types.js';
import type { Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../model.js';
import { Source } from '../source.js';
import { type FileChange, type ReadConsumers, type ReadEntry, Reports, spanIn } from './change.js';
import { changedLines, LocatedLines, namesIn, readLines } from './lines.js';

export class LineFile implements ReadConsumers {
  constructor(
    readonly path: string,
    readonly absolute: string,
    readonly bytes: Buffer,
  ) {}

  names(): Iterable<string> {
    return namesIn(this.bytes, { start: 0, end: this.bytes.length });
  }

  find(name: string, key?: string): Span | undefined {
    return spanIn(new LocatedLines(this.path, this.bytes).entryOf(name), key);
  }

  source(): SourceFile {
    return new Source(this.path, this.absolute, this.bytes.toString('utf8'));
  }
}

/** Reads the lines of a file that differ from those of `before`. */
export function readLineFile(file: LineFile, before: ReadConsumers | undefined, readEntry: ReadEntry): FileChange {
  const lines = changedLines(before?.bytes ?? Buffer.alloc(0), file.bytes);
  const reports = new Reports();
  let located: LocatedLines | undefined;
  /** Reads a line once more, for the places of its errors. */
  const explain = (at: number): void => {
    if (reports.full) {
      reports.skip();
      return;
    }
    located ??= new LocatedLines(file.path, file.bytes);
    const found = located.entry(at);
    if ('keySpan' in found) readEntry(found, reports.add);
    else reports.add(found);
  };
  const added: ConsumerEntry[] = [];
  for (const { entry, at } of readLines(file.bytes, lines.after, explain)) {
    let failed = false;
    const fail = (): void => {
      failed = true;
    };
    const found = readEntry(entry, fail, true);
    if (failed || found === undefined) explain(at);
    else added.push(found);
  }
  const removed = before === undefined ? [] : [...namesIn(before.bytes, lines.before)];
  return { file, removed, added, diagnostics: reports.end() };
}
