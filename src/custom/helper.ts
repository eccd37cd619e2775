/** Entry point of the helper thread: runs what the compiler reads of custom code. It may be terminated at any time. */
import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { PolicyContext, PolicyFile } from '../contract/index.js';
import { languageWith } from '../expression/check.js';
import { INVALID, type Schema, s } from '../schema/declare.js';
import { Decoder } from '../schema/decoder.js';
import type { Definition } from './definition.js';
import { CodeError, type CodeModule, evaluateCode, shown } from './evaluate.js';
import { actionFacts, findingsOf, policyFacts, problemsOf, staticFacts } from './facts.js';
import { plainConfig, plainSettings } from './plain.js';
import * as api from './policy.js';
import {
  type Checked,
  type CodeFault,
  type Decoded,
  type FromHelper,
  type HelperNeed,
  type HelperRequest,
  type HelperResults,
  type HelperSetup,
  TO_HELPER,
  TO_READER,
  type ToHelper,
} from './protocol.js';

/**
 * What code prints goes to standard error at once. Standard output belongs to the command: it may be JSON. The streams of a thread pass
 * through its reader, which is blocked while the code runs, and ends without them or, if it pipes them, not before this thread.
 */
const printed = new Writable({
  write(chunk: Buffer, _encoding, done) {
    try {
      writeSync(2, chunk);
    } catch {
      // The reader of the pipe has gone: the output is lost, and the check of the spec goes on.
    }
    done();
  },
});
for (const name of ['stdout', 'stderr']) Object.defineProperty(process, name, { value: printed });

const { port, signal }: HelperSetup = workerData;
const words = new Int32Array(signal);
/** The oldest is dropped first; the reader loads it again. */
const modules = new Map<string, CodeModule>();
const MOST_MODULES = 64;

function send(message: FromHelper): void {
  port.postMessage(message);
  Atomics.add(words, TO_READER, 1);
  Atomics.notify(words, TO_READER);
}

/** Asks the reader, which waits for this thread, and waits for its answer. */
function need(id: number, wanted: HelperNeed): ToHelper {
  const seen = Atomics.load(words, TO_HELPER);
  send({ id, need: wanted });
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (received) return received.message;
    Atomics.wait(words, TO_HELPER, seen);
  }
}

/** The request in work; 0 for none. */
let current = 0;

port.on('message', (message: ToHelper) => {
  if (!('request' in message)) return;
  const { id, request } = message;
  current = id;
  const answered = outcome(id, request);
  // After what the step has left: a rejected promise that nothing handles is an error of this step.
  setImmediate(() => {
    current = 0;
    send(answered);
  });
});
send({ ready: true });

let end: CodeFault = { message: 'The code ends its thread, as process.exit() does.' };
process.on('exit', () => send({ ended: end, id: current }));
process.on('uncaughtException', (error) => {
  const place = [...modules.values()].map((module) => module.placeOf(error)).find((found) => found !== undefined);
  end = { message: `The code throws outside of its functions, in a promise or a timer: ${shown(error)}`, place };
  process.exit(1);
});

function outcome(id: number, request: HelperRequest): FromHelper {
  try {
    return structuredClone({ id, result: answer(id, request) });
  } catch (error) {
    return { id, fault: faultOf(error, modules.get(request.sha256)) };
  }
}

function faultOf(error: unknown, module: CodeModule | undefined): CodeFault {
  if (error instanceof CodeError) return { message: error.message, place: error.place };
  return { message: `The code throws: ${shown(error)}`, place: module?.placeOf(error) };
}

function answer(id: number, request: HelperRequest): HelperResults[HelperRequest['ask']] {
  if (request.ask === 'load') return load(request.sha256, request.text, request.use);
  const module = modules.get(request.sha256);
  if (module === undefined) throw new CodeError('The code is not loaded.', undefined);
  if (request.ask === 'decode') return decode(module.definition, request);
  return check(module.definition, id, request);
}

function load(sha256: string, text: string, use: string): HelperResults['load'] {
  const module = evaluateCode(text, use, api);
  const facts = staticFacts(module.definition);
  const problems = problemsOf(module.definition);
  modules.set(sha256, module);
  if (modules.size > MOST_MODULES)
    for (const oldest of modules.keys()) {
      modules.delete(oldest);
      break;
    }
  return { facts, problems };
}

/** The texts of the spec are not here: a fault is shown at its whole expression. */
const LANGUAGE = languageWith((span) => span);

const NO_KEYS: Schema<object> = s.object({});

function decode(
  definition: Definition,
  { node, keySpan }: Extract<HelperRequest, { readonly ask: 'decode' }>,
): Decoded {
  const decoder = new Decoder(node, keySpan, LANGUAGE);
  const schema: Schema<unknown> = definition.schema ?? NO_KEYS;
  const decoded = schema.decode(node, decoder);
  const records = [...decoder.entries()];
  const { diagnostics, expressions } = decoder;
  if (decoded === INVALID) return { diagnostics, records, expressions, valid: undefined };
  const config = plainConfig(decoded);
  if (typeof config !== 'object' || config === null) throw new CodeError('`schema` must give an object.', undefined);
  const facts = 'phase' in definition ? policyFacts(definition, config) : actionFacts(definition, config);
  return { diagnostics, records, expressions, valid: { config, facts } };
}

function check(
  definition: Definition,
  id: number,
  { config, name, plans, routes }: Extract<HelperRequest, { readonly ask: 'check' }>,
): Checked {
  const context: PolicyContext = {
    name,
    plans,
    routes,
    get consumers() {
      const given = need(id, { consumers: true });
      return 'consumers' in given ? given.consumers : [];
    },
    readFile: (path): PolicyFile => {
      const given = need(id, { file: path });
      return 'file' in given ? given.file : { cause: 'no answer' };
    },
  };
  const problems = findingsOf(definition, config, context);
  if (problems.some(({ severity }) => severity === 'error')) return { problems, settings: undefined };
  const settings = definition.compile === undefined ? config : definition.compile(config, context);
  return { problems, settings: settings === undefined ? undefined : plainSettings(settings) };
}
