import { Argument } from 'commander';
import { defineCommand, gather, JSON_HELP } from '../command.js';
import { usage } from '../exit-codes.js';

interface Options {
  readonly policy?: string;
  readonly route?: readonly string[];
  readonly tag?: readonly string[];
  readonly all?: boolean;
  readonly soft?: boolean;
  readonly file?: string;
  readonly header?: readonly string[];
  readonly concurrency?: string;
  readonly timeout?: string;
  readonly address?: string;
  readonly json?: boolean;
}

type Action = 'stats' | 'purge' | 'warm';

/** Which options belong to which action, besides those of all. */
const OWN: Readonly<Record<Action, readonly (keyof Options)[]>> = {
  stats: ['policy', 'route', 'tag', 'all'],
  purge: ['policy', 'route', 'tag', 'all', 'soft'],
  warm: ['policy', 'route', 'tag', 'file', 'header', 'concurrency', 'timeout'],
};
const EVERYWHERE: readonly (keyof Options)[] = ['address', 'json'];

export default defineCommand<Options, [action: Action, urls: readonly string[]]>({
  name: 'cache',
  group: 'Run',
  summary: 'Show, purge and warm the caches of a running gateway',
  details:
    'Acts on the gateway that runs the gateway.toml of this folder, or else on the only one on this machine, through its admin API. A purge is done when the command ends: no worker uses what it removed.\n\nA URL is absolute, as clients ask for it. The order of its query parameters does not matter; a final * makes it a prefix. Tags are those of Surrogate-Key, Cache-Tag and Cache-Groups. Several selectors add up. With them, stats lists what is stored, and warm requests its URLs again, such as after a soft purge.',
  examples: [
    ['gw cache stats', 'hit rates, entries, sizes'],
    ["gw cache stats 'https://api.example/shop/*'", 'what is stored of these URLs'],
    ['gw cache purge --tag product-17', 'what has this tag'],
    ["gw cache purge 'https://api.example/shop/*' --soft", 'validate before further use'],
    ['gw cache purge --all --policy short', 'all of one cache'],
    ['gw cache warm --file urls.txt -H "accept: text/html"', 'request these URLs'],
    ['gw cache warm --tag product-17', 'request what is stored with this tag'],
  ],
  configure(command) {
    command.addArgument(new Argument('<action>', 'what to do').choices(Object.keys(OWN)));
    command.argument('[urls...]', 'absolute URLs');
    command.option('--policy <policy>', 'only this cache (default: all)');
    command.option('--route <route>', 'what requests of this route stored (repeatable)', gather);
    command.option('--tag <tag>', 'what has this tag (repeatable)', gather);
    command.option('--all', 'stats, purge: everything');
    command.option('--soft', 'purge: keep the replies, and validate them before their next use');
    command.option('--file <file>', 'warm: a file with one URL a line, or - for standard input');
    command.option('-H, --header <field>', "warm: a header field, 'name: value' (repeatable)", gather);
    command.option('--concurrency <number>', 'warm: requests at the same time (default: 8)');
    command.option('--timeout <duration>', 'warm: for one request (default: 30s)');
    command.option(
      '--address <where>',
      'admin API: path of a unix socket, or http://host:port (token in GW_ADMIN_TOKEN)',
    );
    command.option('--json', JSON_HELP);
  },
  async run({ args: [action, urls], options, io }) {
    const stray = (Object.keys(options) as (keyof Options)[]).find(
      (option) => !OWN[action].includes(option) && !EVERYWHERE.includes(option),
    );
    if (stray !== undefined) throw usage(`--${stray} has no effect on gw cache ${action}.`);
    const { isSelection, purge, stats, stored, warm } = await import('../cache.js');
    const { address, json = false, policy, route = [], tag = [], all = false, soft = false } = options;
    if (action === 'warm') return await warm(io, urls, { ...options, json });
    const selected = { ...(policy === undefined ? {} : { policy }), url: urls, route, tag, all };
    const isGiven = isSelection(selected);
    if (action === 'stats' && isGiven) return await stored(io, selected, { address, json });
    if (action === 'stats') return await stats(io, { address, json, policy });
    if (!isGiven) throw usage('Say what to purge: URLs, --route, --tag, or --all.');
    return await purge(io, { ...selected, soft }, { address, json });
  },
});
