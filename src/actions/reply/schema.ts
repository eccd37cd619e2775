/** Config of the reply action. */
import { type Infer, isFieldName, s } from '../../policies/compile-kit.js';
import type { TemplateEntry } from '../../policies/contract.js';

/** Fields that frame the message; only gw writes them. */
const FRAMING: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
]);

function fieldNameProblem(name: string): string | undefined {
  if (!isFieldName(name)) return `\`${name}\` is not a valid header field name.`;
  return FRAMING.has(name.toLowerCase()) ? `Only gw may write \`${name}\`; it follows from the body.` : undefined;
}

const fieldValue = s.string({
  pattern: /^[\t\x20-\x7e]*$/,
  expected: 'a header value (printable ASCII)',
});

export const schema = s
  .object({
    status: s.integer({ min: 200, max: 599 }).describe('Status code.').default(200),
    headers: s
      .map(fieldValue, fieldNameProblem)
      .describe('Header fields; their values are templates. A field without a value is not sent.')
      .default({}),
    body: s
      .string()
      .describe(
        'Body, as text: a template. Variables are escaped for the `content-type`: HTML, XML and JSON. Other braces are literal.',
      )
      .default(''),
    template: s
      .boolean()
      .describe('`false`: `headers` and `body` are sent as written, without variables.')
      .default(true),
  })
  .describe('Reply by gw, without a service.');

export type ReplyConfig = Infer<typeof schema>;

export type ReplySettings = {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: TemplateEntry])[];
  readonly body: TemplateEntry;
};
