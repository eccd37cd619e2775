/** Counters: a writer for each worker, a registry for control. The layout between them is in stats-layout.ts. */
export { type SlotAssignment, type SlotSums, StatsRegistry, targetName, UNMATCHED } from './registry.js';
export { type CounterWord, StatsWriter } from './writer.js';
