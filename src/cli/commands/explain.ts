import { defineCommand, gather, JSON_HELP, SPEC_OR_BUNDLE_HELP, type SpecOptions, withOverlays } from '../command.js';
import { EXIT, failed, usage } from '../exit-codes.js';
import { headerField } from '../header-field.js';

interface Options extends SpecOptions {
  readonly header?: readonly string[];
  readonly at?: string;
  readonly client?: string;
  readonly listener?: string;
  readonly as?: string;
  readonly key?: string;
  readonly token?: string;
  readonly cert?: string;
  readonly body?: string;
  readonly mock?: readonly string[];
  readonly published?: readonly string[];
  readonly http10?: boolean;
  readonly verify?: string;
  readonly json?: boolean;
}

export default defineCommand<Options, [method: string, url: string, spec: string | undefined]>({
  name: 'explain',
  group: 'Check',
  summary: 'Show what gw does with a request, and why, without a network',
  details:
    "Runs the proxy's own parser, match and chain. Shows which route takes the request, why others do not, what each policy does with which values, and what the target would see. All limits count as unused. With `--mock`, a service answers, and the reply goes back through the policies. With `--published`, a policy has what its duty would fetch.",
  examples: [
    ['gw explain GET /orders/7', 'with the nearest gateway.toml'],
    ['gw explain POST /orders --key acme-demo-key', 'with an API key'],
    ['gw explain GET /orders --as acme', 'as a consumer, without a credential'],
    ['gw explain GET /orders --as acme --at 2027-01-31T22:30:00Z', 'at another time, for rules with hours'],
    ['gw explain POST /orders --body order.json --mock orders=503', 'a body, and a reply of the service'],
    ['gw explain GET /orders --published tokens=jwks.json', 'with the key set of a jwt policy'],
    ['gw explain GET http://api.example.com/orders release.bundle --json', 'a host, a bundle, as JSON'],
  ],
  configure(command) {
    command.argument('<method>', 'GET, POST, ...');
    command.argument('<url>', 'a path such as /orders/7?page=2, or a whole URL');
    command.argument('[spec]', SPEC_OR_BUNDLE_HELP);
    command.option('-H, --header <field>', "a header field, 'name: value' (repeatable)", gather);
    command.option('--body <file>', 'the body; `-H content-type:...` says what it is');
    command.option(
      '--mock <service=status[:file]>',
      'what a service answers, with the file as its body (repeatable)',
      gather,
    );
    command.option(
      '--published <policy=file>',
      'what the duty of a policy publishes, as JSON: the key set of a jwt policy (repeatable)',
      gather,
    );
    command.option('--as <consumer>', 'the caller is this consumer, whatever credentials the request has');
    command.option('--key <key>', 'an API key, where the route reads it; @FILE reads it from a file');
    command.option('--token <token>', 'a token, where the route reads it; @FILE reads it from a file');
    command.option(
      '--cert <file>',
      "the client's certificate (PEM), with its chain, verified as in a handshake (default listener: the first that asks for one)",
    );
    command.option('--at <time>', 'when it comes, such as 2027-01-31T22:30:00Z (default: now)');
    command.option('--client <address>', "the client's address (default: 127.0.0.1)");
    command.option(
      '--listener <listener>',
      'the listener that accepts it (default: the first; for https: the first with TLS)',
    );
    command.option('--http10', 'as an HTTP/1.0 client, which sends no Host field');
    command.option('--verify <file>', 'the ed25519 public key (PEM) that must have signed the bundle');
    withOverlays(command).option('--json', JSON_HELP);
  },
  async run({ args: [method, url, spec], options, io }) {
    if (!/^(\/|\*$|https?:\/\/)/i.test(url)) {
      throw usage(`\`${url}\` is not the URL of a request: it must begin with / or http://.`);
    }
    const headers = (options.header ?? []).map(headerField);
    if (options.client !== undefined && (await import('node:net')).isIP(options.client) === 0) {
      throw usage(`\`${options.client}\` is not an IP address.`);
    }
    const at = options.at === undefined ? undefined : await momentOf(options.at);
    const { bundleOf } = await import('../spec.js');
    const { CallerError, clockAt, explain, RefusedValueError, UnexplainableError } = await import(
      '../../control/explain.js'
    );
    const bundle = await io.spin('Reading the spec', () =>
      bundleOf(io, spec, { ...options, runs: true, includeConsumers: true }),
    );
    const listeners = bundle.program.listeners.map(({ name }) => name);
    if (options.listener !== undefined && !listeners.includes(options.listener))
      throw usage(`There is no listener \`${options.listener}\`. Listeners: ${listeners.join(', ') || 'none'}.`);
    const { callerOf, clientOf, mocksOf, publishedOf } = await import('../explain-input.js');
    const { readInput } = await import('../files.js');
    const services = bundle.program.services.map(({ name }) => name);
    const files = publishedOf(io, options.published ?? [], bundle.program.policies);
    const published = Object.fromEntries([...files].map(([name, { value }]) => [name, value]));
    const request = {
      // Methods are case-sensitive (RFC 9110 section 9.1), but `get` on a command line means GET.
      method: /^[a-z]+$/.test(method) ? method.toUpperCase() : method,
      url,
      headers,
      mocks: mocksOf(io, options.mock ?? [], services),
      ...(options.body === undefined ? {} : { body: readInput(io, options.body, 'document') }),
      ...(options.client === undefined ? {} : { remoteAddress: options.client }),
      ...(options.listener === undefined ? {} : { listener: options.listener }),
      ...(options.cert === undefined
        ? {}
        : await clientOf(io, options.cert, bundle.program, { url, headers }, options.listener, spec)),
      ...(options.http10 ? { version: '1.0' as const } : {}),
    };
    const caller = callerOf(io, options);
    const explanation = await settled(
      explain(bundle, request, { env: io.env, published, ...(at === undefined ? {} : { clock: clockAt(at) }) }, caller),
    ).catch((error: unknown) => {
      if (error instanceof UnexplainableError)
        throw failed(`The spec cannot be loaded here, so there is nothing to explain: ${error.message}`);
      if (error instanceof CallerError) throw usage(error.message);
      if (error instanceof RefusedValueError)
        throw failed(`The policy \`${error.policy}\` refuses ${files.get(error.policy)?.file}: ${error.reason}`);
      throw error;
    });
    if (options.json) {
      io.json(explanation);
      return EXIT.ok;
    }
    const { renderExplanation } = await import('../explanation.js');
    io.write(renderExplanation(explanation, (style, text) => io.paint(style, text)));
    return EXIT.ok;
  },
});

async function momentOf(text: string): Promise<number> {
  const { readInstant } = await import('../../schema/instants.js');
  const at = readInstant(text);
  if (at !== undefined) return at;
  throw usage(`\`${text}\` is no moment: write a date and a time, such as 2027-01-31T22:30:00Z.`);
}

/** Rejects when nothing is left to wait for: without that, the process would end with no message, as if all were well. */
function settled<T>(pending: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const drained = (): void =>
      reject(failed('The request never ends: custom code returned a promise that nothing settles.'));
    process.once('beforeExit', drained);
    pending.then(resolve, reject).finally(() => process.off('beforeExit', drained));
  });
}
