/** Notices what a policy uses besides its host: such a chain does not run offline on a virtual clock. */

/** Functions of the surroundings, by name. Their originals are called nevertheless. */
const WATCHED: readonly (readonly [name: string, owner: object, key: string])[] = [
  ['Date.now()', Date, 'now'],
  ['performance.now()', performance, 'now'],
  ['Math.random()', Math, 'random'],
  ['setTimeout()', globalThis, 'setTimeout'],
  ['setInterval()', globalThis, 'setInterval'],
  ['fetch()', globalThis, 'fetch'],
];

/** The names of what `work` used. */
export async function foreignUses(work: () => Promise<void>): Promise<string[]> {
  const used = new Set<string>();
  const restore = WATCHED.map(([name, owner, key]) => {
    const descriptor = Object.getOwnPropertyDescriptor(owner, key);
    const original: unknown = Reflect.get(owner, key);
    if (typeof original !== 'function') return () => {};
    const watched = function (this: unknown, ...given: unknown[]): unknown {
      if (calledByNode(new Error('stack').stack)) return Reflect.apply(original, this, given);
      used.add(name);
      return Reflect.apply(original, this, given);
    };
    Object.defineProperty(owner, key, { value: watched, configurable: true, writable: true });
    return () => {
      if (descriptor === undefined) Reflect.deleteProperty(owner, key);
      else Object.defineProperty(owner, key, descriptor);
    };
  });
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  return [...used];
}

/** Whether Node itself has called: the caller is the second frame. */
const calledByNode = (stack = ''): boolean => /\bnode:/.test(stack.split('\n')[2] ?? '');
