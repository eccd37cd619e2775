/** Targets of a service. */
import type { RefString } from '../../bundle/types.js';
import { type Problem, quoted, s } from '../../schema/declare.js';
import { unixTargetProblem } from '../addresses.js';

/** What is wrong with a target URL; undefined if it is valid. */
export function urlProblem(text: string): Problem | undefined {
  if (text.startsWith('unix:')) return unixTargetProblem(text);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) {
    return {
      message: 'A target URL cannot contain a user name or password: they would appear in logs and messages.',
      help: 'Send them in a header field: add a `headers` policy with `request.set = { authorization = "Basic ${env:NAME}" }`.',
      sensitive: true,
    };
  }
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const message = `Expected a URL such as \`"http://127.0.0.1:4003"\`, found ${quoted(text)}.`;
    const bare = /^[\w.-]+(:\d{1,5})?(\/\S*)?$/.test(text) && URL.canParse(`http://${text}`);
    const help = bare ? `Add the scheme: \`"http://${text}"\`.` : 'Write `http://` or `https://`, then host and port.';
    return { message, help };
  }
  if (!url.search && !url.hash) return undefined;
  const message = `A target URL consists of scheme, host, port and optionally a base path; found ${quoted(text)}.`;
  return { message, help: 'Remove the query and fragment: requests have their own query.' };
}

const targetUrl = () => s.reference('a URL such as `"http://127.0.0.1:4003"`', urlProblem);

export interface TargetConfig {
  readonly url: RefString;
  readonly weight: number;
  readonly zone?: string | undefined;
  readonly priority?: number | undefined;
}

export const target = s.either<TargetConfig>(
  { kinds: ['string'], schema: s.mapped(targetUrl(), (url): TargetConfig => ({ url, weight: 1 })) },
  {
    kinds: ['table'],
    schema: s.object({
      url: targetUrl().describe(
        'Scheme, host, port and optionally a base path; or `unix:/path`, a unix socket for HTTP without TLS.',
      ),
      weight: s
        .integer({ min: 0, max: 1000 })
        .describe(
          'Share of the traffic, relative to the other targets. 0: only requests that no other target can take.',
        )
        .default(1),
      zone: s
        .string({ nonEmpty: true })
        .describe('Zone of the target. Those in the zone of the gateway (`zone` at the top level) come first.', 'a')
        .optional(),
      priority: s
        .integer({ max: 15 })
        .describe(
          'Targets with 0 come first. Those with 1 get the requests that the available ones with 0 cannot take, and so on.',
        )
        .optional(),
    }),
  },
);
