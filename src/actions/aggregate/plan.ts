/** The order of calls: what each waits for, in stages that can run at once. Pure. */

/** That a call waits for another one. */
export interface Edge {
  readonly from: string;
  /** It ends first. */
  readonly to: string;
}

/** Calls that are sent as soon as those of the stages before have ended, each as soon as its own have. */
export type Stages = readonly (readonly string[])[];

export interface CallPlan {
  /** In the order of the stages; within one, that of the names given. */
  readonly order: readonly string[];
  readonly stages: Stages;
  readonly waits: ReadonlyMap<string, readonly string[]>;
}

/**
 * The plan of the calls `names`, or the calls of a cycle, each waiting for the next and the last for the first. Edges with other names
 * are ignored. Linear in calls and edges.
 */
export function planOf(
  names: readonly string[],
  edges: readonly Edge[],
): CallPlan | { readonly cycle: readonly string[] } {
  const waits = new Map<string, Set<string>>(names.map((name) => [name, new Set<string>()]));
  for (const { from, to } of edges) if (waits.has(to)) waits.get(from)?.add(to);
  const levels = new Map<string, number>();
  for (const name of names) {
    const cycle = levelOf(name, waits, levels, []);
    if (cycle !== undefined) return { cycle };
  }
  const stages: string[][] = [];
  for (const name of names) {
    const level = levels.get(name)!;
    while (stages.length <= level) stages.push([]);
    stages[level]!.push(name);
  }
  const order = stages.flat();
  return { order, stages, waits: new Map(Array.from(waits, ([name, of]) => [name, [...of]])) };
}

/** Sets the level of a call and of all that it waits for. Returns a cycle if there is one. Calls are few, so it may recurse. */
function levelOf(
  name: string,
  waits: ReadonlyMap<string, ReadonlySet<string>>,
  levels: Map<string, number>,
  above: readonly string[],
): readonly string[] | undefined {
  if (levels.has(name)) return undefined;
  const seen = above.indexOf(name);
  if (seen >= 0) return above.slice(seen);
  let level = 0;
  for (const other of waits.get(name)!) {
    const cycle = levelOf(other, waits, levels, [...above, name]);
    if (cycle !== undefined) return cycle;
    level = Math.max(level, levels.get(other)! + 1);
  }
  levels.set(name, level);
  return undefined;
}
