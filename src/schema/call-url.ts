/** URLs in configs of policies and actions, which gw calls through an implicit service. */
import { type Problem, quoted, s } from './declare.js';

export interface CallUrl {
  /** Scheme, host and port: the name of the implicit service, and the URL of its target. */
  readonly origin: string;
  /** Path and query, for requests. */
  readonly path: string;
}

/** The parts of a URL that can be called; undefined for any other text. */
export function parseCallUrl(text: string): CallUrl | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, pathname, search, hash, username, password } = new URL(text);
  if ((protocol !== 'http:' && protocol !== 'https:') || hash !== '' || username !== '' || password !== '')
    return undefined;
  return { origin, path: pathname + search };
}

/** What is wrong with a URL that gw is to call; undefined if it is valid. */
export function callUrlProblem(text: string): Problem | undefined {
  if (parseCallUrl(text) !== undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password)
    return {
      message: 'This URL cannot contain a user name or password: they would appear in logs and messages.',
      help: 'Remove them from the URL.',
      sensitive: true,
    };
  const message = `Expected a URL such as \`"https://auth.example/check"\`, found ${quoted(text)}.`;
  if (url?.hash) return { message, help: 'Remove the fragment: it is not part of a request.' };
  return { message, help: 'Write `http://` or `https://`, then host, port and path.' };
}

/** A URL that gw calls. calls() of the declaration must name it. */
export const callUrl = () => s.string({ nonEmpty: true }).check('schema/format', callUrlProblem);
