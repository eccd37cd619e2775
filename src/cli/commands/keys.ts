import { Argument } from 'commander';
import { defineCommand, JSON_HELP, type SpecOptions, withOverlays } from '../command.js';
import { EXIT, usage } from '../exit-codes.js';

interface Options extends SpecOptions {
  readonly spec?: string;
  readonly name?: string;
  readonly expires?: string;
  readonly addresses?: string;
  readonly create?: boolean;
  readonly plan?: string;
  readonly groups?: string;
  readonly overlap?: string;
  readonly json?: boolean;
}

type Action = 'new' | 'list' | 'revoke' | 'rotate';

/** Which options belong to which action. */
const OWN: Readonly<Record<Action, readonly (keyof Options)[]>> = {
  new: ['name', 'expires', 'addresses', 'create', 'plan', 'groups'],
  list: [],
  revoke: [],
  rotate: ['expires', 'overlap'],
};

export default defineCommand<Options, [action: Action, consumer: string | undefined, credential: string | undefined]>({
  name: 'keys',
  group: 'Run',
  summary: 'Create, list, revoke and rotate the API keys of consumers',
  details:
    'A key is printed once; only its hash is written, into the file that declares the consumer. No gateway has to run. One that runs and watches its files accepts or refuses the key at once.\n\nOnly the key is on standard output, so KEY=$(gw keys new acme) works.',
  examples: [
    ['gw keys new acme --name ci --expires 90d', 'a key for consumer acme'],
    ['gw keys new bolt --create --plan pro --groups partners', 'a consumer with its first key'],
    ['gw keys list acme', 'what acme has, without secrets'],
    ['gw keys rotate acme ci --overlap 24h', 'a new key; the one before ends in a day'],
    ['gw keys revoke acme ci', 'refused from now on'],
  ],
  configure(command) {
    command.addArgument(new Argument('<action>', 'what to do').choices(Object.keys(OWN)));
    command.argument('[consumer]', 'the consumer (list: default all)');
    command.argument('[credential]', 'for revoke and rotate: the name of the key');
    command.option('--name <credential>', 'new: name of the key (default: its number, such as key-2)');
    command.option('--expires <when>', 'new, rotate: 90d, 12h, a date such as 2027-01-31T00:00:00Z, or never');
    command.option('--addresses <cidrs>', 'new: client addresses that may use it, such as 10.0.0.0/8,192.0.2.7');
    command.option('--create', 'new: create the consumer if it does not exist');
    command.option('--plan <plan>', 'new --create: its plan');
    command.option('--groups <groups>', 'new --create: its groups, such as partners,beta');
    command.option('--overlap <duration>', 'rotate: how long the key before stays valid (default: 24h)');
    command.option('--spec <file>', 'the spec, or its folder (default: the nearest gateway.toml)');
    withOverlays(command).option('--json', JSON_HELP);
  },
  async run({ args: [action, consumer, credential], options, io }) {
    refuseForeign(action, options);
    const { listKeys, newKey, openConsumers, revoke, rotate } = await import('../keys.js');
    if (action !== 'list' && consumer === undefined) throw usage(`Name the consumer: gw keys ${action} CONSUMER.`);
    const named = action === 'revoke' || action === 'rotate';
    if (named && credential === undefined)
      throw usage(`Name the key: gw keys ${action} ${consumer} NAME. \`gw keys list ${consumer}\` lists them.`);
    if (!named && credential !== undefined) {
      const hint = action === 'new' ? ` The name of the key is an option: --name ${credential}.` : '';
      throw usage(`gw keys ${action} takes no second name.${hint}`);
    }
    const store = await openConsumers(io, options.spec, options);
    const json = options.json === true;
    if (action === 'list') listKeys(io, store, consumer, json);
    else if (action === 'revoke') await revoke(io, store, { consumer: consumer!, name: credential!, json });
    else if (action === 'rotate') {
      const { overlap, expires } = options;
      await rotate(io, store, { consumer: consumer!, name: credential!, overlap, expires }, json);
    } else {
      const { addresses, create, expires, groups, name, plan } = options;
      const lists = { addresses: listOf('addresses', addresses), groups: listOf('groups', groups) };
      const input = { ...lists, create, expires, name, plan };
      await newKey(io, store, { consumer: consumer!, ...input }, json);
    }
    return EXIT.ok;
  },
});

/** An empty list is refused: a key whose addresses were left out by mistake, as an empty variable, could be used from anywhere. */
function listOf(option: string, text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw usage(`--${option} has an empty item: write it without, or leave the option out.`);
  return items;
}

function refuseForeign(action: Action, options: Options): void {
  for (const key of Object.values(OWN).flat()) {
    if (options[key] !== undefined && !OWN[action].includes(key)) throw usage(`--${key} is not for gw keys ${action}.`);
  }
  if (options.create !== true && (options.plan !== undefined || options.groups !== undefined))
    throw usage('--plan and --groups are for a new consumer: add --create.');
}
