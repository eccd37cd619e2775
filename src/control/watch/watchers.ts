/** Watches a spec and, apart from it, the files of consumers: a change of these reloads no generation. */
import type { Log } from '../log.js';
import { CONSUMERS, SpecWatcher } from './watcher.js';

export class Watchers {
  readonly spec: SpecWatcher;
  readonly consumers: SpecWatcher;

  constructor(changed: (what: 'spec' | 'consumers') => void, log: Log) {
    this.spec = new SpecWatcher(() => changed('spec'), log);
    this.consumers = new SpecWatcher(() => changed('consumers'), log, CONSUMERS);
  }

  async close(): Promise<void> {
    await Promise.all([this.spec.close(), this.consumers.close()]);
  }
}
