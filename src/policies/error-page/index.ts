/** Compile part of error-page. */
import { declarePolicy, parseText } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem, TemplateEntry } from '../contract.js';
import { lintText, TEMPLATE_CODES } from '../kits/template-text.js';
import { FORMS, type Form } from './forms.js';
import { type ErrorPageConfig, type ErrorPageSettings, type PageText, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;

/** Largest template, in characters. */
const MAX_PAGE = 256 * 1024;

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
    ...TEMPLATE_CODES,
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

function lintPage(form: Form, page: PageText, context: PolicyContext, report: Report): void {
  const at = 'file' in page ? [form, 'file'] : [form];
  const text = textOf(page, context);
  const fault = fileFault(page, text, context);
  if (fault !== undefined) report({ code: 'error-page/file', severity: 'error', at, message: fault, help: FILE_HELP });
  if (fault !== undefined || text === undefined) return;
  const file = 'file' in page ? page.file : undefined;
  const { parts } = lintText(
    {
      text,
      at,
      file,
      form: form === 'html' ? 'html' : 'other',
      params: sharedParams(context),
      onReply: true,
      help: 'Correct the name. Other braces are literal.',
    },
    report,
  );
  if (form === 'json') lintJson(parts, at, file, report);
}

function fileFault(page: PageText, text: string | undefined, context: PolicyContext): string | undefined {
  if (text === undefined) {
    const cause = 'file' in page ? context.readFile(page.file).cause : undefined;
    return `The page cannot be read: ${cause}.`;
  }
  if (text.length <= MAX_PAGE) return undefined;
  return `The page has ${text.length} characters, but at most ${MAX_PAGE} are allowed.`;
}

const FILE_HELP = 'Check the path, which is relative to the root spec, and the size of the file.';

function lintJson(parts: TemplateEntry, at: readonly string[], file: string | undefined, report: Report): void {
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
      message: `The page${file === undefined ? '' : ` in \`${file}\``} is not valid JSON: ${position === undefined ? 'it ends too early' : `error in line ${line}`}.`,
      help: 'Correct the JSON. A variable in quotes becomes text, one without quotes a number, a text or null.',
    });
  }
}
