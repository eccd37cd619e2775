/** The phases of policies with their reasons, for the reference page. */
import { PHASES, type Phase, REPLY_PHASES, type ReplyPhase } from '../bundle/types.js';
import { declarations } from '../policies/registry.js';

const REASONS: { readonly [phase in Phase]: string } = {
  guard:
    'First: it needs no identity. Cheap checks refuse requests before any credential is looked up, and CORS preflights, which carry no credentials, are answered.',
  authenticate: 'Who calls. All later phases may depend on the consumer and its claims.',
  authorize: 'Whether this caller may do this. It needs the identity, and a refused request uses up no limit.',
  limit:
    'How much. After the identity, so that counts belong to a consumer; before all work that a limit is to prevent.',
  validate: 'Whether the content is acceptable. Bodies are collected only for requests that may pass.',
  cache:
    'Answers without the target. After everything that may refuse, so that a stored reply reaches only callers who may have it.',
  transform:
    'What the target gets and what the client gets. After the cache, so that a stored reply needs no second run.',
  balance: 'Where the request goes.',
};

const REPLY_REASONS: { readonly [phase in ReplyPhase]: string } = {
  errors: 'Innermost of the three: a replaced body gets the fields and the coding of every reply.',
  fields: 'Fields such as `Strict-Transport-Security` belong on every reply, also on a 401.',
  coding: 'Outermost: compression sees the body as it is sent.',
};

const firsts = (): string =>
  declarations
    .filter(({ first }) => first === true)
    .map(({ use }) => `\`${use}\``)
    .join(', ');

/** Two tables in Markdown: the phases of requests in their order, and the phases of replies. */
export function phases(): string[] {
  const kinds = (held: (use: (typeof declarations)[number]) => boolean): string =>
    declarations
      .filter(held)
      .map(({ use }) => `\`${use}\``)
      .join(', ') || '-';
  return [
    'A request passes the policies of its route in the order of their phases, and within a phase in the order of the spec. Its',
    `reply passes them in reverse order. First in its phase, wherever the spec names it, is ${firsts()}: so its reply hooks are the last`,
    'ones of the phase.',
    '',
    '| phase | why there | policies |',
    '|---|---|---|',
    ...PHASES.map((phase) => `| ${phase} | ${REASONS[phase]} | ${kinds((one) => one.phase === phase)} |`),
    '',
    'Some policies name a phase of replies. Their reply hooks run after those of all other policies, in this order, on every reply',
    'of the route: also on those of gw, and of policies before them.',
    '',
    '| phase of replies | why there | policies |',
    '|---|---|---|',
    ...REPLY_PHASES.map(
      (phase) => `| ${phase} | ${REPLY_REASONS[phase]} | ${kinds((one) => one.replyPhase === phase)} |`,
    ),
  ];
}
