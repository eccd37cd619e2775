/** Delta debugging: removes from a failing case all that is not needed for the failure. */
import type { ReplyCase } from './replies.js';
import type { Behaviour, ClientPlan, Message, RequestCase } from './requests.js';

/** Limits of shrinking: time in milliseconds, and number of runs. */
const SHRINK_MS = 20_000;
const SHRINK_RUNS = 1500;

/** Whether a smaller candidate still breaks the same law. */
export type Still<T> = (candidate: T) => Promise<boolean>;

class Budget {
  #runs = SHRINK_RUNS;
  readonly #until = Date.now() + SHRINK_MS;

  get left(): boolean {
    return this.#runs-- > 0 && Date.now() < this.#until;
  }
}

/** The smallest list found for which `still` holds: removes halves, then quarters, down to single items. */
export async function shrinkList<T>(
  items: readonly T[],
  still: Still<readonly T[]>,
  budget = new Budget(),
): Promise<T[]> {
  let kept = [...items];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length && budget.left; ) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await still(without)) kept = without;
      else at += size;
    }
  }
  return kept;
}

async function shrinkText(text: string, still: Still<string>, budget: Budget): Promise<string> {
  const chars = await shrinkList([...text], (left) => still(left.join('')), budget);
  return chars.join('');
}

const PLAIN: Behaviour = { interim: 0, framing: 'length', size: 0, cuts: [], early: false, after: 'keep' };

function replaced<T>(items: readonly T[], index: number, item: T): T[] {
  return items.map((old, at) => (at === index ? item : old));
}

export async function shrinkRequestCase(given: RequestCase, still: Still<RequestCase>): Promise<RequestCase> {
  const budget = new Budget();
  let best = given;
  const tryOne = async (candidate: RequestCase): Promise<boolean> => {
    if (!budget.left || !(await still(candidate))) return false;
    best = candidate;
    return true;
  };
  await shrinkList(best.clients, (clients) => tryOne({ ...best, clients: [...clients] }), budget);
  for (const [index] of best.behaviours.entries())
    await tryOne({ ...best, behaviours: replaced(best.behaviours, index, PLAIN) });
  await tryOne({ ...best, behaviours: best.behaviours.slice(0, 1) });
  for (let index = 0; index < best.clients.length; index++) {
    const withClient = (client: ClientPlan): Promise<boolean> =>
      tryOne({ ...best, clients: replaced(best.clients, index, client) });
    const client = (): ClientPlan => best.clients[index]!;
    await withClient({ ...client(), cuts: [] });
    await withClient({ ...client(), ending: 'fin' });
    await shrinkList(client().messages, (messages) => withClient({ ...client(), messages }), budget);
    await shrinkList(client().cuts, (cuts) => withClient({ ...client(), cuts }), budget);
    for (let at = 0; at < client().messages.length; at++) {
      // A shortened text may no longer be valid.
      const put = (text: string): Promise<boolean> => {
        const message: Message = { text, valid: false };
        return withClient({ ...client(), messages: replaced(client().messages, at, message) });
      };
      await shrinkText(client().messages[at]!.text, put, budget);
    }
  }
  return best;
}

export async function shrinkReplyCase(given: ReplyCase, still: Still<ReplyCase>): Promise<ReplyCase> {
  const budget = new Budget();
  let best = given;
  const tryOne = async (candidate: ReplyCase): Promise<boolean> => {
    if (!budget.left || !(await still(candidate))) return false;
    best = candidate;
    return true;
  };
  await shrinkList(best.steps, (steps) => tryOne({ ...best, steps }), budget);
  for (let index = 0; index < best.steps.length; index++) {
    const step = (): ReplyCase['steps'][number] => best.steps[index]!;
    await tryOne({ ...best, steps: replaced(best.steps, index, { ...step(), cuts: [] }) });
    const put = (text: string): Promise<boolean> =>
      tryOne({ ...best, steps: replaced(best.steps, index, { ...step(), text, valid: false }) });
    await shrinkText(step().text, put, budget);
  }
  return best;
}
