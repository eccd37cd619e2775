/** The work of each state of a reload: build, start managed targets, swap, stop what only the old generation used. */

import type { Program } from '../../bundle/types.js';
import type { CodeThread } from '../../custom/code-thread.js';
import type { Clock } from '../../policies/contract.js';
import type { BoundListener, DataPlaneApi, GenerationInput } from '../../proxy/types.js';
import { errnoCode, messageOf, reasonOf } from '../../reason.js';
import type { Diagnostic } from '../../schema/diagnostic.js';
import { TreeCache } from '../../spec/index.js';
import type { ConsumerStore } from '../../spec/stored/store.js';
import { ConsumerConflict } from '../../state/consumers/build.js';
import type { OutcomesOnDisk } from '../../state/outcomes/gateway.js';
import { boundedNames } from '../../telemetry/changes.js';
import type { AdminServer, TcpChange } from '../admin/server.js';
import type { Background } from '../background.js';
import { type ControlCode, controlError, controlWarning } from '../codes.js';
import type { GatewayConsumers } from '../consumers.js';
import { dutyDiagnostics } from '../duties/diagnostics.js';
import type { DutyPreparation } from '../duties/set.js';
import type { GatewayStats } from '../gateway-stats.js';
import type { Log } from '../log.js';
import type { Instances } from '../managed/instances.js';
import { ManagedError } from '../managed/process.js';
import type { ManagedSet, Preparation } from '../managed/set.js';
import { assertFree, isAnyPort } from '../ports/addresses.js';
import { bindHelp } from '../ports/bind-help.js';
import { plain } from '../references/pems.js';
import type { TargetBoard } from '../targets/board.js';
import type { SpecWatcher } from '../watch/watcher.js';
import { build, type Candidate, type Machine, placesOf, rebuild, reject, reportOf } from './candidate.js';
import { changesOf, joinNames, summarize } from './diff.js';
import { lossesOf, removesSomething } from './losses.js';
import { accessOf, differenceOf, entityIn, forWorkers, listenerAt } from './program-parts.js';
import { ConsumerRefresh, namesOf, type Refreshed } from './refresh.js';
import {
  type RefreshTrigger,
  Rejected,
  type Rejection,
  type ReloadSteps,
  type ReloadTrigger,
  type SwapResult,
} from './reloader.js';
import { nameOfSource, type Source } from './source.js';

/** A candidate with its managed targets and its duties running. */
export interface WarmCandidate {
  readonly candidate: Candidate;
  readonly preparation: Preparation;
  readonly duties: DutyPreparation;
}

/** The generation that serves. */
export interface LiveGeneration {
  readonly candidate: Candidate;
  /** With resolved references. */
  readonly program: Program;
  readonly input: GenerationInput;
  readonly loadedAt: number;
  readonly listeners: readonly BoundListener[];
}

export interface LoaderParts {
  readonly source: Source;
  readonly env: { readonly [name: string]: string | undefined };
  readonly log: Log;
  readonly clock: Clock;
  readonly managed: ManagedSet;
  readonly background: Background;
  readonly stats: GatewayStats;
  readonly plane: DataPlaneApi;
  readonly consumers: GatewayConsumers;
  readonly targets: TargetBoard;
  readonly admin: AdminServer;
  readonly watcher: SpecWatcher | undefined;
  /** Of the files of consumers. */
  readonly storedWatcher: SpecWatcher | undefined;
  readonly store: ConsumerStore;
  /** Where running gateways are found. */
  readonly runtimeDir: string;
  /** Why only one worker can serve; undefined if several can. */
  readonly alone: () => string | undefined;
  /** The gateway is stopping: do not wait for idle targets. */
  readonly ending: () => boolean;
  /** Runs the compile parts of custom policies and actions. */
  readonly code: CodeThread;
  /** Numbers the custom steps of a program. */
  readonly stepsOf: (program: Program) => ReadonlyMap<string, number>;
  /** The memory of contents, and the outcomes on disk. */
  readonly contents: {
    contentsFor(program: Program): SharedArrayBuffer;
    outcomesFor(program: Program): OutcomesOnDisk | undefined;
    readonly contentBytes: number | undefined;
  };
}

export class GenerationLoader implements ReloadSteps<Candidate, WarmCandidate> {
  readonly #parts: LoaderParts;
  readonly #trees = new TreeCache();
  readonly #refresh: ConsumerRefresh;
  /** A changed spec was read while a file of consumers was being written. */
  #afterStored = false;
  #live: LiveGeneration | undefined;
  /** Diagnostics of the last attempt if it was rejected. */
  #rejected: string | undefined;
  #bug: unknown;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
    this.#refresh = new ConsumerRefresh({ ...parts, watcher: parts.storedWatcher });
  }

  get live(): LiveGeneration | undefined {
    return this.#live;
  }

  async build(trigger: ReloadTrigger): Promise<Candidate | undefined> {
    const live = this.#live?.candidate;
    if (trigger === 'secrets') return live && this.#rebuilt(live);
    const { watcher } = this.#parts;
    const tools = { code: this.#parts.code, trees: this.#trees, store: this.#parts.store };
    const { candidate, rejection, reads, storedReads } = await build(this.#parts.source, this.#machine(), tools);
    const trusted = trigger !== 'watch';
    const whole = this.#parts.storedWatcher?.update(storedReads, trusted) ?? true;
    this.#afterStored = !trusted && !whole;
    const complete = (watcher?.update(reads, trusted) ?? true) && whole;
    // Read while it was being written: the watcher triggers again.
    if (trigger === 'watch' && !complete) return undefined;
    if (rejection) {
      // A broken spec that was only touched: already reported.
      if (trigger === 'watch' && this.#rejected === rejection.diagnostics) return undefined;
      throw this.#remember(new Rejected(rejection));
    }
    const same = candidate?.fingerprint === live?.fingerprint && this.#rejected === undefined;
    if (trigger !== 'watch' || !candidate) return candidate;
    // A spec with fewer routes or policies may be half written: wait until the file has been quiet for longer.
    const less = live !== undefined && removesSomething(lossesOf(live, candidate));
    if (!same && !(less && watcher?.insist() === false)) return candidate;
    candidate.secrets.abandon();
    return undefined;
  }

  #machine(): Machine {
    const { alone, background, contents, env } = this.#parts;
    return { env, alone: alone(), contentBytes: contents.contentBytes, secrets: background.secrets };
  }

  /** The live program with other values of its secrets; undefined if they have not changed. */
  async #rebuilt(live: Candidate): Promise<Candidate | undefined> {
    const { candidate, rejection } = await rebuild(live, this.#parts.source, this.#machine(), this.#parts.store);
    if (rejection) throw this.#remember(new Rejected(rejection));
    const same = candidate?.fingerprint === live.fingerprint && candidate.stored.change.set.length === 0;
    return same ? undefined : candidate;
  }

  async warm(candidate: Candidate): Promise<WarmCandidate> {
    try {
      return await this.#warm(candidate);
    } catch (error) {
      candidate.secrets.abandon();
      throw error;
    }
  }

  async #warm(candidate: Candidate): Promise<WarmCandidate> {
    // A second gateway on the same port would start all its managed targets only to stop them.
    if (!this.#live && candidate.runs.size > 0) await this.#assertFree(candidate);
    const preparation = await this.#startTargets(candidate);
    // Managed targets first: they may serve what a duty fetches.
    try {
      await this.#parts.targets.prepare(candidate.program.services, { ...candidate.program, root: candidate.root });
      await this.#parts.background.certificates.prepare(candidate.program);
      return { candidate, preparation, duties: await this.#startDuties(candidate) };
    } catch (error) {
      this.#parts.targets.abandon();
      await preparation.abandon();
      throw error;
    }
  }

  async #startDuties(candidate: Candidate): Promise<DutyPreparation> {
    let duties: DutyPreparation;
    try {
      duties = await this.#parts.background.duties.prepare(candidate.program, candidate.code);
    } catch (error) {
      throw await this.#refuseLoad(candidate, error);
    }
    const errors = duties.failures.filter(({ rejects }) => rejects);
    if (errors.length === 0) return duties;
    duties.abandon();
    const found = dutyDiagnostics(errors, placesOf(candidate, this.#parts.source));
    throw this.#remember(reject(found, candidate.files));
  }

  async #startTargets(candidate: Candidate): Promise<Preparation> {
    try {
      return await this.#parts.managed.prepare(candidate.runs);
    } catch (error) {
      if (!(error instanceof ManagedError)) throw error;
      const help = error.output.length > 0 ? `Its last output:\n${error.output.join('\n')}` : 'It has no output.';
      const message = `The managed target of service \`${error.service}\` did not start: ${error.message}`;
      throw this.#refuse(candidate, 'service/not-ready', `service.${error.service}.run`, message, help);
    }
  }

  async #assertFree(candidate: Candidate): Promise<void> {
    const addresses = candidate.program.listeners.map(({ address }) => plain(address));
    try {
      await assertFree(addresses.filter((address) => !isAnyPort(address)));
    } catch (error) {
      throw await this.#refuseLoad(candidate, error);
    }
  }

  async swap({ candidate, preparation, duties }: WarmCandidate): Promise<SwapResult> {
    const { clock, stats } = this.#parts;
    const before = this.#live;
    const { program } = candidate;
    const id = (before?.input.id ?? 0) + 1;
    const { sha256, trie } = candidate;
    const staged = this.#parts.targets.stage(program, preparation.supplies);
    let input: GenerationInput = {
      id,
      sha256,
      program: forWorkers(program),
      trie,
      ...(candidate.code === undefined ? {} : { code: candidate.code, steps: this.#parts.stepsOf(program) }),
      stats: stats.slotsFor(program),
      endpoints: staged.endpoints,
      contents: this.#parts.contents.contentsFor(program),
      outcomes: this.#parts.contents.outcomesFor(program),
      published: duties.published,
    };
    const stored = namesOf(candidate.stored.change, this.#parts.consumers);
    let listeners: readonly BoundListener[];
    try {
      listeners = await this.#parts.consumers.load(
        candidate.program.consumers,
        (consumers) => {
          input = { ...input, consumers };
          return this.#load(candidate, input);
        },
        candidate.stored.change,
      );
    } catch (error) {
      staged.abandon();
      // The live generation still uses its slots.
      if (before !== undefined) stats.slotsFor(before.program);
      duties.abandon();
      candidate.secrets.abandon();
      await preparation.abandon();
      throw error instanceof ConsumerConflict ? await this.#refuseLoad(candidate, error) : error;
    }
    staged.commit();
    candidate.stored.commit();
    duties.commit();
    candidate.secrets.commit();
    this.#parts.background.certificates.use(candidate.program);
    this.#live = { candidate, program, input, loadedAt: clock.now(), listeners };
    this.#rejected = undefined;
    const gone = preparation.commit();
    const spec = differenceOf(before?.candidate, candidate);
    const diff = { ...spec, consumers: joinNames(spec.consumers, stored) };
    const lost = before ? this.#tellLosses(before.candidate, candidate) : [];
    const pending = dutyDiagnostics(duties.failures, placesOf(candidate, this.#parts.source));
    return {
      generation: id,
      summary: summarize(diff),
      changes: changesOf(diff),
      ...reportOf([...candidate.diagnostics, ...lost, ...pending], candidate.files),
      drain: () => this.#retire(gone),
    };
  }

  /** Removing authentication, or all routes, may be intended, but is always reported. */
  #tellLosses(before: Candidate, after: Candidate): Diagnostic[] {
    const { opened, removed, empty } = lossesOf(before, after);
    const places = placesOf(after, this.#parts.source);
    const found: Diagnostic[] = [];
    if (opened.length > 0) {
      const names = boundedNames(opened);
      this.#parts.log.warn('reload removes authentication from routes', { routes: names });
      const message = `The reload removes authentication from ${opened.length === 1 ? 'the route' : 'these routes'}: ${names}.`;
      const first = after.program.routes.find(({ name }) => name === opened[0]);
      const span = places.at(first?.source) ?? places.of('');
      found.push(controlWarning('reload/unauthenticated', span, message, OPENED_HELP));
    }
    if (empty) {
      const names = boundedNames(removed);
      this.#parts.log.warn('reload leaves no routes; every request gets 404', { removed: names });
      const message = `The reload leaves no routes. Removed: ${names}.`;
      found.push(controlWarning('reload/no-routes', places.of(''), message, EMPTY_HELP));
    }
    return found;
  }

  /** What to request when a file of consumers has changed: the spec waits for it, or it changes alone. */
  get afterStored(): 'watch' | 'consumers-watch' {
    return this.#afterStored ? 'watch' : 'consumers-watch';
  }

  async refresh(trigger: RefreshTrigger): Promise<Refreshed | undefined> {
    const live = this.#live;
    return live && this.#refresh.run({ candidate: live.candidate, id: live.input.id }, trigger);
  }

  /** An unexpected error of the first attempt: no generation exists that could keep serving. */
  get bug(): unknown {
    return this.#bug;
  }

  unexpected(error: unknown): Rejection {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!this.#live && !this.#parts.ending()) this.#bug = error;
    else this.#parts.log.error('reload failed (a bug in gw)', { error: text });
    return { summary: `internal error: ${messageOf(error)}`, diagnostics: `${text}\n`, errors: 1, warnings: 0 };
  }

  /** Binds first and changes later, so that a failure leaves the old generation as it was. */
  async #load(candidate: Candidate, input: GenerationInput): Promise<readonly BoundListener[]> {
    const { admin, plane } = this.#parts;
    let tcp: TcpChange;
    try {
      tcp = await admin.prepareTcp(accessOf(input.program));
    } catch (error) {
      const at = placeOf(error);
      const message = `The admin API cannot listen${at === '' ? '' : ` at ${at}`}: ${reasonOf(error)}.`;
      throw this.#refuse(candidate, 'admin/bind', 'admin.address', message, await this.#bindHelp(error));
    }
    try {
      const listeners = await plane.load(input);
      tcp.commit();
      return listeners;
    } catch (error) {
      await tcp.abandon();
      throw await this.#refuseLoad(candidate, error);
    }
  }

  /** Stops managed targets that the new generation does not use, when the requests to them have ended. */
  async #retire(gone: readonly Instances[]): Promise<void> {
    await Promise.all(gone.map((instances) => this.#parts.managed.retire(instances)));
  }

  async #refuseLoad(candidate: Candidate, error: unknown): Promise<Rejected> {
    const code = errnoCode(error) ?? '';
    const reason = reasonOf(error);
    if (/access log/.test(messageOf(error))) {
      const message = `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
      return this.#refuse(candidate, 'log/open', 'access_log.path', message, ACCESS_LOG_HELP);
    }
    if (!/^E(ADDRINUSE|ADDRNOTAVAIL|ACCES|PERM|INVAL|NOTFOUND)$|^EAI_/.test(code)) {
      const refusal = `The generation cannot be loaded: ${reason}${reason.endsWith('.') ? '' : '.'}`;
      return this.#refuse(candidate, 'gateway/load', entityIn(candidate.program, reason), refusal);
    }
    const listener = listenerAt(candidate.program, placeOf(error));
    const at = placeOf(error);
    const needs = listener ? ` Listener \`${listener.name}\` has this address.` : '';
    const refusal = `The gateway cannot listen${at === '' ? '' : ` at ${at}`}: ${reason}.${needs}`;
    return this.#refuse(
      candidate,
      'listener/bind',
      listener ? `listener.${listener.name}.address` : '',
      refusal,
      await this.#bindHelp(error),
    );
  }

  #bindHelp(error: unknown): Promise<string | undefined> {
    const { source, runtimeDir } = this.#parts;
    return bindHelp(errnoCode(error) ?? '', placeOf(error), nameOfSource(source), runtimeDir);
  }

  #refuse(candidate: Candidate, code: ControlCode, at: string, message: string, help?: string): Rejected {
    const span = placesOf(candidate, this.#parts.source).of(at);
    return this.#remember(reject([controlError(code, span, message, help)], candidate.files));
  }

  #remember(rejected: Rejected): Rejected {
    this.#rejected = rejected.rejection.diagnostics;
    return rejected;
  }
}

const OPENED_HELP = 'If these routes must not be public, restore the authenticating policy and save the spec.';
const EMPTY_HELP =
  'Every request gets 404 now. If that is not intended, check that the spec and its includes are complete.';

/** The address at the end of an error of listen(2) or of a name lookup: `127.0.0.1:80`. */
const placeOf = (error: unknown): string => /^(?:listen|getaddrinfo) E.* (\S+)$/.exec(messageOf(error))?.[1] ?? '';

const ACCESS_LOG_HELP = 'Create the folder, let the user that runs gw write there, or change `path` of `[access_log]`.';
