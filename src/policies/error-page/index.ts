/** Compile part of error-page. */
import { declarePolicy, parseText, unknownVariable } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem, TemplateEntry } from '../contract.js';
import { FORMS, type Form } from './forms.js';
import { type ErrorPageConfig, type ErrorPageSettings, type PageText, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;

/** Largest template, in characters. */
const MAX_PAGE = 256 * 1024;
/** Variables of a page that are checked: for each one the text before it is read. */
const MOST_VARIABLES = 200;

export default declarePolicy<ErrorPageConfig, ErrorPageSettings>({
  use: 'error-page',
  summary: 'Replaces the bodies of error replies by pages, in the format that the client prefers',
  phase: 'transform',
  replyPhase: 'errors',
  stateful: false,
  schema,
  codes: [
    { code: 'error-page/none', severity: 'error', summary: 'An error-page policy has no page' },
    { code: 'error-page/file', severity: 'error', summary: 'The file of an error page cannot be used' },
    { code: 'error-page/not-json', severity: 'error', summary: 'The JSON of an error page is not valid' },
    {
      code: 'error-page/unsafe-place',
      severity: 'warning',
      summary: 'An error page has a variable where HTML escaping does not protect it',
    },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template uses an unknown variable or path parameter',
    },
  ],
  replyOnly: () => true,
  lint(config, context, report) {
    if (FORMS.every((form) => config[form] === undefined)) {
      report({
        code: 'error-page/none',
        severity: 'error',
        at: [],
        message: 'This policy has neither `html` nor `json` nor `text`, so it has no page to send.',
        help: 'Add a page: `html = { file = "error.html" }`.',
      });
    }
    for (const form of FORMS) {
      const page = config[form];
      if (page !== undefined) lintPage(form, page, context, report);
    }
  },
  compile(config, context) {
    const pages: { [form in Form]?: TemplateEntry } = {};
    for (const form of FORMS) {
      const page = config[form];
      const text = page === undefined ? undefined : textOf(page, context);
      if (text !== undefined) pages[form] = parseText(text, sharedParams(context)).parts;
    }
    const keep = config.keep?.map((name) => name.toLowerCase()) ?? null;
    return { statuses: config.statuses, from: config.from, pages, keep };
  },
});

/** Undefined if the file cannot be read. */
const textOf = (page: PageText, context: PolicyContext): string | undefined =>
  'text' in page ? page.text : context.readFile(page.file).text;

/** The path parameters that all routes of the policy have. */
function sharedParams({ routes }: PolicyContext): ReadonlySet<string> {
  const [first, ...others] = routes;
  return new Set(first?.params.filter((name) => others.every(({ params }) => params.includes(name))));
}

/** A page with its text, as lint reads it. */
interface Page {
  readonly form: Form;
  readonly text: string;
  readonly at: readonly string[];
  /** For messages: the file that contains it, or nothing. */
  readonly where: string;
  readonly report: Report;
}

function lintPage(form: Form, page: PageText, context: PolicyContext, report: Report): void {
  const at = 'file' in page ? [form, 'file'] : [form];
  const where = 'file' in page ? ` in \`${page.file}\`` : '';
  const text = textOf(page, context);
  const fault = fileFault(page, text, context);
  if (fault !== undefined) report({ code: 'error-page/file', severity: 'error', at, message: fault, help: FILE_HELP });
  if (fault !== undefined || text === undefined) return;
  const params = sharedParams(context);
  const { parts, variables } = parseText(text, params);
  const found: Page = { form, text, at, where, report };
  for (const { name, offset } of variables.slice(0, MOST_VARIABLES)) lintVariable(found, name, offset, params);
  if (form === 'json') lintJson(found, parts);
}

function fileFault(page: PageText, text: string | undefined, context: PolicyContext): string | undefined {
  if (text === undefined) {
    const cause = 'file' in page ? context.readFile(page.file).cause : undefined;
    return `The page cannot be read: ${cause}.`;
  }
  if (text.length <= MAX_PAGE) return undefined;
  return `The page has ${text.length} characters, but at most ${MAX_PAGE} are allowed.`;
}

function lintVariable(page: Page, name: string, offset: number, params: ReadonlySet<string>): void {
  const { at, form, report, text, where } = page;
  const variable = text.slice(offset, text.indexOf('}', offset) + 1);
  const place = { severity: 'error' as const, at, ...(where === '' ? { part: variable } : {}) };
  const message = unknownVariable(name, params, true);
  if (message !== undefined) {
    const help = 'Correct the name. Other braces are literal.';
    report({ code: 'template/unknown-variable', ...place, message: message.replace(/(?=[.?]$)/, where), help });
  }
  const unsafe = form === 'html' ? unsafePlace(text.slice(0, offset)) : undefined;
  if (unsafe === undefined) return;
  report({
    code: 'error-page/unsafe-place',
    ...place,
    severity: 'warning',
    message: `\`${variable}\`${where} is ${unsafe}, where escaping for HTML does not protect it: a client may choose its text.`,
    help: 'Write the variable into the text of an element, or into an attribute value in quotes.',
  });
}

const FILE_HELP = 'Check the path, which is relative to the root spec, and the size of the file.';

function lintJson({ at, report, where }: Page, parts: TemplateEntry): void {
  // A variable is inside of a string, or becomes a value: a digit is valid in both places.
  const sample = parts.map((part) => (typeof part === 'string' ? part : '1')).join('');
  try {
    JSON.parse(sample);
  } catch (error) {
    // Node's messages differ between versions; the place is always there, unless the text ends too early.
    const position = /at position (\d+)/.exec(String(error))?.[1];
    const line = sample.slice(0, Number(position ?? sample.length)).split('\n').length;
    report({
      code: 'error-page/not-json',
      severity: 'error',
      at,
      message: `The page${where} is not valid JSON: ${position === undefined ? 'it ends too early' : `error in line ${line}`}.`,
      help: 'Correct the JSON. A variable in quotes becomes text, one without quotes a number, a text or null.',
    });
  }
}

/** The place of a variable after this text, if escaping does not protect it there. */
function unsafePlace(before: string): string | undefined {
  const open = /<(script|style)\b[^>]*>(?:(?!<\/\1\b)[\s\S])*$/i.exec(before);
  if (open) return `inside of \`<${open[1]!.toLowerCase()}>\``;
  const tag = /<[a-z][^<>]*$/i.exec(before)?.[0];
  if (tag === undefined) return undefined;
  const attribute = /([a-z-]+)\s*=\s*(?:"([^"]*)|'([^']*)|([^\s"'>]*))$/i.exec(tag);
  if (attribute === null) return 'the name of an attribute';
  const [, name = '', double, single] = attribute;
  if (double === undefined && single === undefined) return 'an attribute value without quotes';
  if (/^on/i.test(name)) return `in the event handler \`${name}\``;
  if (/^(?:href|src|action|formaction)$/i.test(name) && (double ?? single) === '')
    return `the beginning of the URL in \`${name}\``;
  return undefined;
}
