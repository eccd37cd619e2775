/** The kit against a naive model, in random histories: freshness, age, variants, validation, invalidation. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Assessment, assess } from '../../../src/policies/kits/http-cache/assess.js';
import { validationFields } from '../../../src/policies/kits/http-cache/conditional.js';
import { hasDirective, requestDirectives } from '../../../src/policies/kits/http-cache/directives.js';
import { type FieldList, readFrom } from '../../../src/policies/kits/http-cache/fields.js';
import { invalidates } from '../../../src/policies/kits/http-cache/invalidate.js';
import { decide, ERROR_STATUSES, usableOnError } from '../../../src/policies/kits/http-cache/reuse.js';
import { fieldsToStore, isAbout, updatedFields, updatedView } from '../../../src/policies/kits/http-cache/update.js';
import { matchesVariant, variantKey } from '../../../src/policies/kits/http-cache/vary.js';
import { type HistoryRequest, history, type Origin, type OriginReply } from './history.js';
import { type ModelAnswer, ModelCache, type ModelOptions } from './model.js';

interface Entry {
  readonly key: string;
  readonly assessment: Assessment;
  readonly status: number;
  readonly fields: FieldList;
  readonly body: string;
}

/** A cache of the functions of the kit and a map. */
class KitCache {
  readonly #origin: Origin;
  readonly #options: ModelOptions;
  readonly #entries = new Map<string, Entry[]>();

  constructor(origin: Origin, options: ModelOptions) {
    this.#origin = origin;
    this.#options = options;
  }

  answer(request: HistoryRequest): ModelAnswer {
    const { at, method, path } = request;
    const read = readFrom(Object.entries(request.fields));
    if (method !== 'GET') {
      const { status, body } = this.#origin(request);
      if (invalidates(method, status)) this.#entries.delete(path);
      return { status, body, origin: ['plain'] };
    }
    const asked = requestDirectives(read);
    const options = { clientDirectives: this.#options.clientDirectives, soft: false };
    const found = this.#of(path).findLast(({ key, assessment: { vary } }) => matchesVariant(vary, key, read));
    if (found === undefined) {
      if (options.clientDirectives && hasDirective(asked, 'only-if-cached'))
        return { status: 504, body: '', origin: [] };
      return this.#forwarded(request, undefined);
    }
    const { use, ageSeconds } = decide(found.assessment, asked, at, options);
    const stored = { status: found.status, body: found.body, age: ageSeconds };
    if (use === 'unavailable') return { status: 504, body: '', origin: [] };
    if (use === 'fresh' || use === 'stale') return { ...stored, origin: [] };
    const answer = this.#forwarded(request, found);
    const failed = ERROR_STATUSES.has(answer.status) && usableOnError(found.assessment, asked, at, options);
    return use === 'stale-while-revalidate' || failed ? { ...stored, origin: answer.origin } : answer;
  }

  #of(path: string): Entry[] {
    return this.#entries.get(path) ?? [];
  }

  #assess(request: HistoryRequest, status: number, fields: ReturnType<typeof readFrom>): Assessment {
    const times = { requestedAt: request.at, receivedAt: request.at };
    const { clientDirectives, ttl } = this.#options;
    const own = ttl === undefined ? {} : { ttl: { ms: ttl * 1000, statuses: [200] } };
    const asking = { method: 'GET', fields: readFrom(Object.entries(request.fields)) };
    return assess(asking, { status, fields }, times, { shared: true, targets: [], clientDirectives, ...own });
  }

  #forwarded(request: HistoryRequest, found: Entry | undefined): ModelAnswer {
    const stored = found && readFrom(found.fields);
    const conditions = (stored && validationFields(stored, request.at)) ?? [];
    const seen = conditions.map(([name, value]) => `${name}: ${value}`).join(', ');
    const reply = this.#origin({ ...request, fields: { ...request.fields, ...Object.fromEntries(conditions) } });
    const fresh = Object.entries(reply.fields);
    const origin = [seen === '' ? 'plain' : seen];
    if (found !== undefined && stored !== undefined && reply.status === 304 && isAbout(stored, readFrom(fresh))) {
      const assessment = this.#assess(request, found.status, updatedView(found.fields, readFrom(fresh)));
      const fields = updatedFields(found.fields, fresh, assessment.withheldFields, request.at);
      this.#replace(request, found, { ...found, assessment, fields });
      return { status: found.status, body: found.body, origin };
    }
    const assessment = this.#assess(request, reply.status, readFrom(fresh));
    const fields = fieldsToStore(fresh, assessment.withheldFields, request.at);
    const key = variantKey(assessment.vary, readFrom(Object.entries(request.fields)));
    this.#replace(request, reply.status < 500 ? found : undefined, { ...reply, key, assessment, fields });
    return { status: reply.status, body: reply.body, origin };
  }

  /** A reply that is for its request only changes nothing. */
  #replace({ path }: HistoryRequest, old: Entry | undefined, entry: Entry): void {
    const { store, requestOnly } = entry.assessment;
    if (requestOnly) return;
    const rest = this.#of(path).filter((one) => one !== old && !(store && one.key === entry.key));
    this.#entries.set(path, store ? [...rest, entry] : rest);
  }
}

function compare(seed: number, options: ModelOptions): { readonly [kind: string]: number } {
  const { origin, requests } = history(seed, 60);
  const calls: OriginReply[] = [];
  const counted: Origin = (request) => {
    const reply = origin(request);
    calls.push(reply);
    return reply;
  };
  const [kit, model] = [new KitCache(counted, options), new ModelCache(origin, options)];
  const seen = { hits: 0, validated: 0, background: 0, unavailable: 0 };
  for (const [at, request] of requests.entries()) {
    calls.length = 0;
    const wanted = model.answer(request);
    const about = `seed ${seed}, request ${at} ${JSON.stringify(request)} of ${JSON.stringify(options)}`;
    assert.equal(kit.answer(request), wanted, about);
    assert.is(calls.length, wanted.origin.length, about);
    if (wanted.age !== undefined && wanted.origin.length === 0) seen.hits++;
    if (wanted.age !== undefined && wanted.origin.length > 0) seen.background++;
    if (wanted.status !== 304 && calls[0]?.status === 304) seen.validated++;
    if (wanted.status === 504) seen.unavailable++;
  }
  return seen;
}

for (const options of [{ clientDirectives: true }, { clientDirectives: false }, { clientDirectives: true, ttl: 12 }]) {
  test(`the kit answers as the model does: ${JSON.stringify(options)}`, () => {
    const total: { [kind: string]: number } = {};
    for (let seed = 1; seed <= 300; seed++)
      for (const [kind, count] of Object.entries(compare(seed, options))) total[kind] = (total[kind] ?? 0) + count;
    // The histories reach what they are for.
    assert.ok(total['hits']! > 1000 && total['validated']! > 300 && total['background']! > 30, JSON.stringify(total));
    assert.is(total['unavailable']! > 0, options.clientDirectives);
  });
}

test.run();
