/** The media type of a reply, which decides how the values of variables are escaped. */
import { parseText } from '../../policies/compile-kit.js';
import type { ConfigPath, PolicyProblem } from '../../policies/contract.js';
import { type TextForm, textFormOf } from '../../policies/run-kit.js';
import type { ReplyConfig } from './schema.js';

/** A media type with parameters, RFC 9110 section 8.3.1. */
const MEDIA_TYPE =
  /^[!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+(?:[ \t]*;[ \t]*(?:[!#$%&'*+.^_`|~\w-]+=(?:[!#$%&'*+.^_`|~\w-]+|"(?:[^"\\]|\\.)*"))?)*$/;
/** For these, browsers guess the type from the body. */
const GUESSED = /^(?:unknown\/unknown|application\/unknown|\*\/\*)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i;

type Problem = Pick<PolicyProblem, 'at' | 'message' | 'help'>;

/** The form of the body, and what is wrong with the field that decides it. */
export function contentTypeOf(
  { body, headers }: ReplyConfig,
  params: ReadonlySet<string>,
): { readonly form: TextForm; readonly problem?: Problem } {
  const names = Object.keys(headers).filter((name) => name.toLowerCase() === 'content-type');
  const [name, second] = names;
  if (name === undefined) return { form: 'text' };
  const type = headers[name]!;
  const form = textFormOf(type);
  const at: ConfigPath = ['headers', name];
  if (second !== undefined)
    return {
      form,
      problem: {
        at: ['headers', second],
        message: `\`${name}\` and \`${second}\` are the same field: clients choose one of the two media types.`,
        help: 'Remove one of them.',
      },
    };
  const problem = typeProblem(type, body, params);
  return problem === undefined ? { form } : { form, problem: { at, ...problem } };
}

function typeProblem(type: string, body: string, params: ReadonlySet<string>): Omit<Problem, 'at'> | undefined {
  const hasVariables = parseText(body, params).variables.length > 0;
  if (hasVariables && parseText(type, params).variables.length > 0)
    return {
      message:
        'The media type contains a variable, so gw cannot know how to escape the variables of the body: a value could become markup or code.',
      help: 'Write one media type, such as `text/html; charset=utf-8`. For several, write a route for each.',
    };
  if (hasVariables && (!MEDIA_TYPE.test(type) || GUESSED.test(type)))
    return {
      message: `\`${type}\` is not a media type that clients know, so browsers guess it from the body: a value of a variable could become markup.`,
      help: 'Write type and subtype, such as `text/html; charset=utf-8`.',
    };
  const charset = CHARSET.exec(type)?.[1];
  if (charset === undefined || /^utf-?8$/i.test(charset) || !(hasVariables || /[^\0-\x7f]/.test(body)))
    return undefined;
  return {
    message: `gw sends the body as UTF-8, but the field says \`${charset}\`: clients would read other characters.`,
    help: 'Write `charset=utf-8`, or leave it out.',
  };
}
